"""Corrects the color offset at the boundary between a fill and its photo.

The correction is a membrane, as in gradient-domain blending (Perez, Gangnet, Blake: Poisson Image
Editing, SIGGRAPH 2003): the offset along the boundary of the hole is interpolated smoothly over the
hole and subtracted. Detail is kept; only differences of brightness or color are removed.
"""

from __future__ import annotations

import cv2
import numpy as np

from gatefill.geometry import bounding_box
from gatefill.methods import pyramid
from gatefill.methods.base import Image, Mask
from gatefill.stopping import stop_point, strips

# Larger offsets are more often caused by another material than by another light.
LARGEST_MISS = 0.1


def even_step(filled: Image, step: Image, rim: Mask, mask: Mask, largest: float) -> Image:
    """Correct the colors in the hole by the offset at its boundary.

    Args:
        filled: ``HW3`` in [0, 1].
        step: ``HW3``, the offset to add, measured where `rim` is True.
        rim: ``HW``, True on boundary pixels with a measured offset.
        mask: ``HW``, True = hole.
        largest: Offsets are limited to this value.

    Returns:
        `filled` with corrected colors in the hole.
    """
    box = bounding_box(rim | mask)
    if box is None or not rim.any():
        return filled
    near = box.slices
    stop_point()
    shift = pyramid.pull_push(np.clip(step[near], -largest, largest), rim[near])
    evened = filled.copy()
    hole, old, new = mask[near], filled[near], evened[near]  # `new` is a view
    for rows in strips(*hole.shape):
        np.clip(old[rows] + shift[rows], 0, 1, out=new[rows], where=hole[rows, :, None])
    return evened


def even_miss(frame: Image, image: Image, mask: Mask) -> Image:
    """Correct the colors in the hole by the network's error just outside the hole.

    A network outputs known pixels as well, so its error there is known; next to the hole this error
    is the visible offset.

    Args:
        frame: ``HW3`` in [0, 1], the whole output of the network.
        image: ``HW3``, the photo.
        mask: ``HW``, True = hole.

    Returns:
        `frame` with corrected colors in the hole.
    """
    beside = (cv2.dilate(mask.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0) & ~mask
    return even_step(frame, image - frame, beside, mask, LARGEST_MISS)
