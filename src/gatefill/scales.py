"""Decides how much of a photo a method gets, and at which scale."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, get_args

import cv2
import numpy as np

from gatefill.errors import ConfigError
from gatefill.geometry import bounding_box, longest_side
from gatefill.methods import pyramid
from gatefill.methods.base import Attention, Fill, Image, Mask, Method, MethodInfo, Progress
from gatefill.stopping import stop_point, strips

Large = Literal["auto", "whole", "crop", "resize"]
"""whole: the method gets the whole photo. crop: boxes around the holes, at full resolution. resize:
the same boxes, downscaled where a hole is larger than the holes of the method's training. auto: one
of these, chosen by the sizes of the photo and its holes."""
Chosen = Literal["whole", "crop", "resize"]

HOLE = 0.5  # side of the largest holes in training, as a share of the side of the frame
AREA = 1.5  # largest photo passed whole, as a multiple of the area of a training frame


def check_large(large: object) -> None:
    """Raise ConfigError unless `large` is one of the choices."""
    if large not in get_args(Large):
        raise ConfigError(
            f"expected large as one of {', '.join(get_args(Large))}, got {large!r:.80}",
            code="config.large",
        )


def choose(large: Large, info: MethodInfo, mask: Mask) -> Chosen:
    """Return what ``"auto"`` selects for a photo; other values are returned as they are.

    Args:
        large: The value given by the caller.
        info: Description of the method.
        mask: ``HW``, True = hole.
    """
    if large != "auto":
        return large
    if info.max_side is None:  # no network: it copies from anywhere at any scale
        return "crop"
    if longest_side(mask) > HOLE * info.max_side:
        return "resize"
    return "whole" if mask.size <= AREA * info.max_side**2 else "crop"


def scale_of(info: MethodInfo, mask: Mask) -> float:
    """Return the scale, at most 1, for ``"resize"``. mask: ``HW`` of the box, True = hole."""
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
    """Fill a downscaled box of a photo, and enlarge the result.

    The arguments are those of `Method.fill`. A box with small enough holes is filled at full scale.
    """
    scale = scale_of(method.info, mask)
    if scale == 1:
        return method.fill(image, mask, sketch, progress, search=search)
    height, width = mask.shape
    size = max(1, round(height * scale)), max(1, round(width * scale))

    # Averages leave out hole pixels; a pixel of the small mask is hole if any pixel it covers is.
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
    # Columns first, then rows, in strips, so that no single call works on a whole large photo.
    tall = cv2.resize(image, (image.shape[1], height), interpolation=cv2.INTER_CUBIC)
    large = np.empty((height, width, 3), np.float32)
    for rows in strips(height, width):
        part = cv2.resize(
            tall[rows], (width, rows.stop - rows.start), interpolation=cv2.INTER_CUBIC
        )
        np.clip(part, 0, 1, out=large[rows])
    return large


def _scaled(attention: Attention, small: Mask, mask: Mask) -> Attention:
    """Convert positions in the downscaled box to positions in the box."""
    factor = np.array(mask.shape) / np.array(small.shape)
    last = np.array(mask.shape) - 1
    places = [
        np.minimum((at + 0.5) * factor, last).astype(np.int32)
        for at in (attention.target, attention.source)
    ]
    stride = max(1, round(attention.stride * float(factor.mean())))
    return replace(attention, target=places[0], source=places[1], stride=stride)
