"""Errors of pixel values, scaled to 0..1, so that 100 % is white for black."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from gatefill.evaluation.metrics.base import Mask, Pair


def l1(pair: Pair) -> float:
    """Mean absolute error over all pixels and channels, known ones included, in percent."""
    return 100 * float(np.abs(_error(pair)).mean())


def l2(pair: Pair) -> float:
    """Mean squared error over all pixels and channels, known ones included, in percent."""
    return 100 * float(np.square(_error(pair)).mean())


def hole_l1(pair: Pair) -> float:
    """Mean absolute error over the hole's pixels and channels, in percent."""
    return 100 * float(np.abs(_error(pair)[pair.mask]).mean())


def hole_l2(pair: Pair) -> float:
    """Mean squared error over the hole's pixels and channels, in percent."""
    return 100 * float(np.square(_error(pair)[pair.mask]).mean())


def rim_l1(pair: Pair) -> float | None:
    """Mean absolute error over the hole's outermost pixels, in percent; None without any.

    Their known neighbors are exact, so this is also the error of the step across the boundary: a
    seam.
    """
    ring = rim(pair.mask)
    return 100 * float(np.abs(_error(pair)[ring]).mean()) if ring.any() else None


def rim(mask: Mask) -> Mask:
    """Return the hole's pixels with a known pixel above, below, left or right of them."""
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    # Pixels outside the frame are not known, so the frame's border is no rim.
    inner = cv2.erode(
        mask.astype(np.uint8), cross, borderType=cv2.BORDER_CONSTANT, borderValue=(1.0,)
    )
    return np.asarray(mask & (inner == 0))


def _error(pair: Pair) -> NDArray[np.float64]:
    return (pair.output.astype(np.float64) - pair.truth) / 255
