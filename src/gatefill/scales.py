"""How much of a photo a method is to see, and at which scale."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import cv2
import numpy as np

from gatefill.geometry import bounding_box, longest_side
from gatefill.methods import pyramid
from gatefill.methods.base import Attention, Fill, Image, Mask, Method, MethodInfo, Progress
from gatefill.stopping import stop_point, strips

Large = Literal["auto", "whole", "crop", "resize"]
"""whole: the method sees the whole photo. crop: boxes around the holes, at full resolution. resize:
the same boxes, made so small that their holes are as large as those of the method's training. auto
chooses by the sizes of the photo and its holes."""
Chosen = Literal["whole", "crop", "resize"]

HOLE = 0.5  # side of the largest holes of training, as a share of the frame's
AREA = 1.5  # frames that are shown whole, as a multiple of the square of the trained side


def choose(large: Large, info: MethodInfo, mask: Mask) -> Chosen:
    """What `large` means for one photo. mask: ``HW``, True = hole."""
    if large != "auto":
        return large
    if info.max_side is None:  # no network: it copies from anywhere at any scale
        return "crop"
    if longest_side(mask) > HOLE * info.max_side:
        return "resize"
    return "whole" if mask.size <= AREA * info.max_side**2 else "crop"


def scale_of(info: MethodInfo, mask: Mask) -> float:
    """The scale at which ``"resize"`` gives a method a box, at most 1. mask: ``HW`` of the box."""
    hole, side = bounding_box(mask), info.max_side
    longest = 0 if hole is None else max(hole.height, hole.width)
    return 1.0 if side is None or longest <= HOLE * side else HOLE * side / longest


def fill_resized(
    method: Method,
    image: Image,
    mask: Mask,
    sketch: Mask | None,
    progress: Progress | None,
    search: Mask | None,
) -> Fill:
    """Fill a box of a photo at the scale of the method's training, and enlarge the fill.

    The arguments are those of `Method.fill`. A box whose hole is small enough is filled as it is.
    """
    scale = scale_of(method.info, mask)
    if scale == 1:
        return method.fill(image, mask, sketch, progress, search=search)
    height, width = mask.shape
    size = max(1, round(height * scale)), max(1, round(width * scale))

    # Known pixels are averaged without the hole; a small pixel is hole where any of it is.
    share = pyramid.shrink(~mask, *size)
    small = pyramid.shrink(image, *size, ~mask) / np.maximum(share, 1e-6)[..., None]
    gap = share < 1 - 1e-4
    if gap.all():
        return method.fill(image, mask, sketch, progress, search=search)
    lines = None if sketch is None else pyramid.shrink(sketch, *size) > 0
    allowed = None
    if search is not None:
        allowed = pyramid.shrink(search, *size) > 1 - 1e-4
    if allowed is not None and not (allowed & ~gap).any():
        allowed = None
    found = method.fill(
        np.clip(small, 0, 1).astype(np.float32), gap, lines, progress, search=allowed
    )
    stop_point()
    return Fill(
        image=_enlarged(found.image, mask),
        coarse=None if found.coarse is None else _enlarged(found.coarse, mask),
        attention=None if found.attention is None else _scaled(found.attention, gap, mask),
    )


def _enlarged(image: Image, mask: Mask) -> Image:
    height, width = mask.shape
    stop_point()
    # First the columns, then the rows, in strips: no call works through a large photo.
    tall = cv2.resize(image, (image.shape[1], height), interpolation=cv2.INTER_CUBIC)
    large = np.empty((height, width, 3), np.float32)
    for rows in strips(height, width):
        part = cv2.resize(
            tall[rows], (width, rows.stop - rows.start), interpolation=cv2.INTER_CUBIC
        )
        np.clip(part, 0, 1, out=large[rows])
    return large


def _scaled(attention: Attention, small: Mask, mask: Mask) -> Attention:
    """Positions of the small box as positions of the large one."""
    factor = np.array(mask.shape) / np.array(small.shape)
    last = np.array(mask.shape) - 1
    places = [
        np.minimum((at + 0.5) * factor, last).astype(np.int32)
        for at in (attention.target, attention.source)
    ]
    stride = max(1, round(attention.stride * float(factor.mean())))
    return replace(attention, target=places[0], source=places[1], stride=stride)
