"""Differences of pixel values. Values are read as 0 to 1, so that 100 % is black for white."""

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

    Their known neighbors are exact, so this is also the error of the step across the rim: a seam.
    """
    ring = rim(pair.mask)
    return 100 * float(np.abs(_error(pair)[ring]).mean()) if ring.any() else None


def rim(mask: Mask) -> Mask:
    """The hole's pixels that have a known pixel above, below, left or right of them."""
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    # Beyond the frame nothing is known, so its border is no rim.
    inner = cv2.erode(
        mask.astype(np.uint8), cross, borderType=cv2.BORDER_CONSTANT, borderValue=(1.0,)
    )
    return np.asarray(mask & (inner == 0))


def _error(pair: Pair) -> NDArray[np.float64]:
    return (pair.output.astype(np.float64) - pair.truth) / 255
