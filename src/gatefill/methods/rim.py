"""Correct the color offset at the boundary between a fill and its photo.

A membrane, as in gradient-domain blending (Perez, Gangnet, Blake: Poisson Image Editing, SIGGRAPH
2003): the offset along the boundary of the hole is spread smoothly over the hole and subtracted.
Detail stays; only a difference of brightness or color is removed.
"""

from __future__ import annotations

import cv2
import numpy as np

from gatefill.geometry import bounding_box
from gatefill.methods import pyramid
from gatefill.methods.base import Image, Mask
from gatefill.stopping import stop_point, strips

# Larger offsets come from another material more often than from another light.
LARGEST_MISS = 0.1


def even_step(filled: Image, step: Image, rim: Mask, mask: Mask, largest: float) -> Image:
    """Correct the colors in the hole by the offset at its boundary.

    filled: ``HW3`` in [0, 1]. step: ``HW3``, what to add where `rim` is, at most `largest` of it.
    mask: ``HW``, True = hole. Returns `filled` with other colors in the hole.
    """
    box = bounding_box(rim | mask)
    if box is None or not rim.any():
        return filled
    near = box.slices
    stop_point()
    shift = pyramid.pull_push(np.clip(step[near], -largest, largest), rim[near])
    evened = filled.copy()
    hole, old, new = mask[near], filled[near], evened[near]  # the last a view
    for rows in strips(*hole.shape):
        np.clip(old[rows] + shift[rows], 0, 1, out=new[rows], where=hole[rows, :, None])
    return evened


def even_miss(frame: Image, image: Image, mask: Mask) -> Image:
    """Correct the colors in the hole by a network's error just outside it.

    frame: ``HW3`` in [0, 1], all of what the network painted. It painted the known pixels too, so
    its error there is known, and beside the hole it is the step that would be seen. image: ``HW3``,
    the photo. mask: ``HW``, True = hole. Returns `frame` with other colors in the hole.
    """
    beside = (cv2.dilate(mask.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0) & ~mask
    return even_step(frame, image - frame, beside, mask, LARGEST_MISS)
