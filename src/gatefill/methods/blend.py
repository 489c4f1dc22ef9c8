"""Blend a network's fill into its photo, as Global & Local does after its network."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from gatefill.methods.base import Image, Mask


def blend(filled: Image, image: Image, mask: Mask) -> Image:
    """Blend a fill into its photo, as section 4.4 of the paper does.

    filled, image: ``HW3`` float32 in [0, 1]. mask: ``HW`` bool, True = hole. Fast marching (Telea,
    radius 1) fills the hole from the photo, then Poisson blending lays the gradients of `filled`
    over it. Both come from OpenCV and work on 8 bits. Returns the whole frame in [0, 1].
    """
    # Blending shifts a hole that touches the frame's border, so a rim is added around the frame.
    rim = 2
    photo, patch = (
        np.pad(_bytes(frame), ((rim, rim), (rim, rim), (0, 0)), mode="edge")
        for frame in (image, filled)
    )
    # Beside a hole the rim is as unknown as the hole; fast marching continues into it.
    unknown = np.pad(mask, rim, mode="edge").astype(np.uint8) * 255
    # At the frame's edge it reads pixels that it should not, so the hole shows the fill.
    result = np.where(unknown[..., None] > 0, patch, photo)
    result = cv2.inpaint(result, unknown, 1, cv2.INPAINT_TELEA)

    # The blend starts one pixel inside the hole, and fails on holes that have no such pixel.
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
