"""Blends a network's fill into its photo, as Global & Local does."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from gatefill.methods.base import Image, Mask


def blend(filled: Image, image: Image, mask: Mask) -> Image:
    """Blend a fill into its photo (Iizuka et al., SIGGRAPH 2017, section 4.4).

    Fast marching (Telea, radius 1) fills the hole from the photo, then Poisson blending applies the
    gradients of `filled` to it. Both are OpenCV's and work on 8 bits.

    Args:
        filled: ``HW3`` float32 in [0, 1], the network's output.
        image: ``HW3`` float32 in [0, 1], the photo.
        mask: ``HW`` bool, True = hole.

    Returns:
        The whole frame, ``HW3`` in [0, 1].
    """
    # OpenCV's blending shifts a hole that touches the frame's border, so a border is added.
    rim = 2
    photo, patch = (
        np.pad(_bytes(frame), ((rim, rim), (rim, rim), (0, 0)), mode="edge")
        for frame in (image, filled)
    )
    # Next to a hole the added border is hole, too; fast marching continues into it.
    unknown = np.pad(mask, rim, mode="edge").astype(np.uint8) * 255
    # At the edge of the frame it reads pixels outside, so the hole is initialized with the fill.
    result = np.where(unknown[..., None] > 0, patch, photo)
    result = cv2.inpaint(result, unknown, 1, cv2.INPAINT_TELEA)

    # Blending starts one pixel inside the hole, and fails on holes without such a pixel.
    hole = np.pad(mask, rim).astype(np.uint8) * 255
    if cv2.erode(hole, np.ones((3, 3), np.uint8)).any():
        left, top, width, height = cv2.boundingRect(hole)
        center = (left + width // 2, top + height // 2)
        result = cv2.seamlessClone(patch, result, hole, center, cv2.NORMAL_CLONE)
    inside: Image = result[rim:-rim, rim:-rim].astype(np.float32) / np.float32(255.0)
    return inside


def _bytes(frame: Image) -> NDArray[np.uint8]:
    pixels: NDArray[np.uint8] = np.rint(frame * 255.0).clip(0, 255).astype(np.uint8)
    return pixels
