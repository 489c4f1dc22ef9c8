"""A photo on a larger canvas, whose new margins are a hole."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from gatefill.errors import ConfigError
from gatefill.images import DEFAULT_MAX_PIXELS, Photo
from gatefill.methods.base import Mask
from gatefill.settings import expect_type


def with_margins(
    photo: Photo,
    *,
    left: int = 0,
    top: int = 0,
    right: int = 0,
    bottom: int = 0,
    max_pixels: int = DEFAULT_MAX_PIXELS,
) -> tuple[Photo, Mask]:
    """Enlarge the canvas of a photo, with the new margins as a hole.

    Args:
        photo: The photo; its metadata is kept.
        left: Pixels to add on that side of the upright photo, 0 or more; likewise `top`, `right`
            and `bottom`. At least one is larger than 0.
        top: See `left`.
        right: See `left`.
        bottom: See `left`.
        max_pixels: Larger canvases are refused.

    Returns:
        The larger photo, transparent in the margins, and a bool mask ``HW``, True there.

    Raises:
        ConfigError: If a margin is negative, all are 0, or the canvas gets too large.
    """
    margins = {"left": left, "top": top, "right": right, "bottom": bottom}
    expect_type(int, **margins)
    if min(margins.values()) < 0 or not any(margins.values()):
        raise ConfigError(
            "expected margins of 0 pixels or more, and one of more than 0, got "
            f"left {left}, top {top}, right {right}, bottom {bottom}",
            code="extend.margins",
            **margins,
        )
    height, width = photo.height + top + bottom, photo.width + left + right
    if height * width > max_pixels:
        raise ConfigError(
            f"expected a canvas of at most {max_pixels} pixels, got {width} x {height}",
            code="extend.size",
            width=width,
            height=height,
            max_pixels=max_pixels,
        )
    sides = ((top, bottom), (left, right))
    pixels: Any = np.pad(photo.pixels, (*sides, (0, 0)), mode="edge")
    alpha = photo.alpha
    if alpha is None:
        alpha = np.full(photo.shape, photo.max_value, photo.pixels.dtype)
    alpha = np.pad(alpha, sides)
    mask = np.ones((height, width), np.bool_)
    mask[top : top + photo.height, left : left + photo.width] = False
    # Blocks of a JPEG do not stay where they were, so it is encoded anew, upright.
    meta = replace(photo.meta, jpeg=None, orientation=1)
    return Photo(pixels, alpha, meta), mask
