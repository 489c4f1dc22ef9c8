"""Blends the fill into the photo along a soft edge around the hole."""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from gatefill.errors import Warning
from gatefill.stopping import left_behind, strips


def widened(mask: NDArray[np.bool_], width: int) -> tuple[NDArray[np.bool_], tuple[Warning, ...]]:
    """Dilate the hole by the width of a soft edge.

    Args:
        mask: ``HW``, the hole.
        width: Width of the edge in pixels.

    Returns:
        The pixels that may change with the edge. If these are all, so that the fill would have
        nothing to go by, the hole itself and a warning.
    """
    if not width or not mask.any():
        return mask, ()
    away = _distance(mask)
    wide = away <= min(width, sum(mask.shape))  # which reaches everywhere
    if not wide.all():
        return wide, ()
    most = max(math.ceil(float(away.max())) - 1, 0)
    text = (
        "expected a soft edge that leaves known pixels to fill from, got a wider one: the fill has "
        f"none; at most {most} pixels fit"
    )
    return mask, (Warning("mask.feather", text, {"most": most}),)


def blended(photo: Any, filled: Any, mask: NDArray[np.bool_], width: int) -> Any:
    """Return `filled` in the hole, with a transition to `photo` over `width` pixels around it.

    Args:
        photo: ``HWC`` uint8 or uint16.
        filled: The same shape and dtype.
        mask: ``HW``, the hole.
        width: Width of the edge in pixels; the weight of the fill falls along a cosine.

    Returns:
        A new array.
    """
    away = _distance(mask)
    width = min(width, sum(mask.shape))
    result = np.empty_like(filled)
    for rows in strips(*mask.shape):
        share = np.clip(away[rows] / (width + 1), 0, 1)
        weight = (0.5 + 0.5 * np.cos(np.pi * share))[..., None]
        mixed = photo[rows] + (filled[rows].astype(np.float32) - photo[rows]) * weight
        result[rows] = np.where(mask[rows, :, None], filled[rows], np.rint(mixed))
    return result


def _distance(mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return the distance in pixels of each pixel to the hole."""
    known = (~mask).view(np.uint8)
    found = left_behind(
        lambda: cv2.distanceTransform(known, cv2.DIST_L2, cv2.DIST_MASK_PRECISE), mask.size
    )
    return np.asarray(found, np.float32)
