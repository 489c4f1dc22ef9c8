"""Blends the fill into the photo along a soft edge around the hole."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from gatefill.stopping import left_behind, strips


def widened(mask: NDArray[np.bool_], width: int) -> NDArray[np.bool_]:
    """Dilate the hole by `width` pixels: the pixels that may change with a soft edge."""
    if not width or not mask.any():
        return mask
    wide = _distance(mask) <= min(width, sum(mask.shape))  # which reaches everywhere
    return mask if wide.all() else wide


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
