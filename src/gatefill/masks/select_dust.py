"""Finds dust and scratches in scanned photos by morphology; no network is needed."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from gatefill.errors import ConfigError
from gatefill.images import Photo, Source
from gatefill.masks.base import Mask
from gatefill.masks.pixels import bytes_of

_WIDTH_SHARE = 1 / 200  # default width of the widest speck, as a share of the shorter side
_FLOOR = 0.15  # smallest difference of a speck from its surroundings, in [0, 1]
_TIMES = 3.0  # the same as a multiple of the usual differences around it
_RIM = 0.6  # hysteresis: pixels of a speck differ by this share of the threshold


def select_dust(
    photo: Source | Photo, *, width: int | None = None, sensitivity: float = 0.5
) -> Mask:
    """Find specks and scratches: small or thin marks that differ from their surroundings.

    Args:
        photo: As for `Inpainter.__call__`.
        width: Width of the widest mark in pixels; default: 1/200 of the shorter side, at least 3.
        sensitivity: From 0 (only the clearest marks) to 1 (faint marks and some texture, too).

    Returns:
        Bool ``HW``, True on the marks, dilated by one pixel.

    Raises:
        ConfigError: If a number is out of range.
        ImageError: If the photo cannot be read.

    White and black top-hat filters extract what is narrower than `width` (Serra, "Image Analysis
    and Mathematical Morphology", 1982); hysteresis thresholding keeps connected marks whole.
    """
    if not 0 <= sensitivity <= 1:
        raise ConfigError(
            f"expected a sensitivity from 0 to 1, got {sensitivity}",
            code="select.sensitivity",
            value=sensitivity,
        )
    pixels = bytes_of(photo)
    shorter = min(pixels.shape[:2])
    if width is None:
        width = max(3, round(shorter * _WIDTH_SHARE))
    if not 1 <= width <= shorter:
        raise ConfigError(
            f"expected a width from 1 to the photo's shorter side, {shorter}, got {width}",
            code="select.width",
            value=width,
            most=shorter,
        )
    gray: Any = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
    factor = 2 ** (1 - 2 * sensitivity)
    found = np.zeros(gray.shape, np.bool_)
    for operation in (cv2.MORPH_TOPHAT, cv2.MORPH_BLACKHAT):
        found |= _marks(gray, operation, width, factor)
    return np.asarray(cv2.dilate(found.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0)


def _marks(gray: NDArray[np.float32], operation: int, width: int, factor: float) -> Mask:
    """Find marks that are brighter, or darker, than their surroundings."""
    side = 2 * width + 1
    element = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    height: Any = cv2.morphologyEx(gray, operation, element)
    usual = np.sqrt(cv2.blur(height * height, (8 * side, 8 * side)))
    limit = factor * np.maximum(_FLOOR, _TIMES * usual)
    count, labels = cv2.connectedComponents((height > _RIM * limit).astype(np.uint8))
    seeds = np.zeros(count, np.bool_)
    seeds[np.unique(labels[height > limit])] = True
    seeds[0] = False
    return np.asarray(seeds[labels])
