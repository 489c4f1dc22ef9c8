"""Finds the object in a rough box or under a scribble."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from gatefill.errors import ConfigError
from gatefill.geometry import Box, bounding_box
from gatefill.images import Photo, Source
from gatefill.masks.base import Mask
from gatefill.masks.models import OBJECT, session
from gatefill.masks.pixels import bytes_of

_SIDE = 320  # side of the network's input
_MEAN = np.array([0.485, 0.456, 0.406], np.float32)  # of ImageNet, as in its training
_SPREAD = np.array([0.229, 0.224, 0.225], np.float32)
_CONTEXT = 0.15  # margin around the box for the network, as a share of its sides
_AROUND_SCRIBBLE = 0.6  # margin around a scribble, as a share of its longer side
_BORDER_SIDE = 400  # longer side in pixels for refining the border
_OBJECT, _GROUND = 0.9, 0.05  # probabilities above and below which GrabCut may not change a pixel
_ROUNDS = 2  # iterations of GrabCut


def select_object(
    photo: Source | Photo,
    box: Sequence[int] | None = None,
    *,
    scribble: NDArray[np.bool_] | None = None,
) -> Mask:
    """Find the object in a rough box or under a scribble, or the most salient object of the photo.

    Args:
        photo: As for `Inpainter.__call__`.
        box: ``(left, top, right, bottom)`` in pixels of the upright photo; the object lies inside.
        scribble: Bool ``HW``, True on lines drawn over the object; instead of a box.

    Returns:
        Bool ``HW``, True on the object; all False if no object is found.

    Raises:
        ConfigError: If the box or the scribble does not fit the photo, or both are given.
        DataError: If the network was not downloaded with `gatefill.masks.fetch_models`.
        ImageError: If the photo cannot be read.

    The network is U²-Net small (Qin et al., Pattern Recognition 2020); GrabCut (Rother et al.,
    SIGGRAPH 2004) aligns the border with changes of color.
    """
    pixels = bytes_of(photo)
    height, width = pixels.shape[:2]
    if box is not None and scribble is not None:
        raise ConfigError("expected a box or a scribble, got both", code="select.both")
    drawn = None
    if scribble is not None:
        area, drawn = _around(scribble, (height, width)), scribble
    else:
        area = checked(box, (height, width))
    seen = area.grown(round(_CONTEXT * max(area.height, area.width)), height, width)
    part = np.ascontiguousarray(pixels[seen.slices])
    likely = _saliency(part)
    inside = np.zeros(part.shape[:2], np.bool_)
    inside[area.moved(-seen.top, -seen.left).slices] = True
    likely[~inside] = 0
    if not likely.any():
        return np.zeros((height, width), np.bool_)
    likely /= likely.max()
    if drawn is not None:
        likely = np.where(drawn[seen.slices], np.float32(1), _joined(likely, drawn[seen.slices]))
    mask = np.zeros((height, width), np.bool_)
    mask[seen.slices] = refined(part, likely, inside)
    return mask


def checked(box: Sequence[int] | None, shape: tuple[int, int]) -> Box:
    """Return a box after checking it; None: the whole photo ``HW``. Raises ConfigError."""
    height, width = shape
    if box is None:
        return Box(0, 0, height, width)
    if len(box) != 4 or not (0 <= box[0] < box[2] <= width and 0 <= box[1] < box[3] <= height):
        raise ConfigError(
            f"expected a box (left, top, right, bottom) inside {width} x {height}, "
            f"got {tuple(box)}",
            code="select.box",
            box=list(box),
            width=width,
            height=height,
        )
    left, top, right, bottom = (int(side) for side in box)
    return Box(top, left, bottom, right)


def _around(scribble: NDArray[np.bool_], shape: tuple[int, int]) -> Box:
    """Return the box in which the object under a scribble may be."""
    found = bounding_box(scribble) if scribble.shape == shape else None
    if found is None:
        raise ConfigError(
            f"expected a scribble of the photo's size {shape[1]} x {shape[0]} with something "
            "drawn, got another size or nothing",
            code="select.scribble",
        )
    return found.grown(round(_AROUND_SCRIBBLE * max(found.height, found.width)), *shape)


def _saliency(part: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the probability that each pixel belongs to the salient object, in [0, 1]."""
    small = cv2.resize(part, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
    values: Any = (small / max(float(small.max()), 1.0) - _MEAN) / _SPREAD
    found = session(OBJECT).run(None, {"input.1": values.transpose(2, 0, 1)[None]})[0][0, 0]
    spread = float(found.max() - found.min())
    if spread < 1e-6:
        return np.zeros(part.shape[:2], np.float32)
    full = cv2.resize((found - found.min()) / spread, (part.shape[1], part.shape[0]))
    return np.asarray(full, np.float32)


def _joined(likely: NDArray[np.float32], drawn: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Keep only what is connected to the scribble."""
    _, labels = cv2.connectedComponents(((likely > 0.5) | drawn).astype(np.uint8))
    return np.where(np.isin(labels, np.unique(labels[drawn])), likely, np.float32(0))


def refined(
    part: NDArray[np.uint8], likely: NDArray[np.float32], inside: NDArray[np.bool_]
) -> Mask:
    """Threshold the probabilities, and align the border with changes of color."""
    height, width = likely.shape
    scale = min(1.0, _BORDER_SIDE / max(height, width))
    size = (max(2, round(width * scale)), max(2, round(height * scale)))
    small = cv2.resize(part, size, interpolation=cv2.INTER_AREA)
    share: Any = cv2.resize(likely, size, interpolation=cv2.INTER_AREA)
    within = cv2.resize(inside.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
    labels: Any = np.where(share > 0.5, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    labels[share > _OBJECT] = cv2.GC_FGD
    labels[(share < _GROUND) | ~within] = cv2.GC_BGD
    is_object = np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD))
    if is_object.any() and not is_object.all():
        models = np.zeros((1, 65)), np.zeros((1, 65))
        cv2.setRNGSeed(0)  # per thread: the same photo gives the same mask
        cv2.grabCut(small, labels, None, *models, _ROUNDS, cv2.GC_INIT_WITH_MASK)  # type: ignore[call-overload]
        is_object = np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD))
    full = cv2.resize(is_object.astype(np.float32), (width, height))
    return np.asarray(full > 0.5) & inside
