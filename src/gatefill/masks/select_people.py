"""Finds the people in a photo."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from gatefill.images import Photo, Source
from gatefill.masks.base import Mask
from gatefill.masks.models import PEOPLE, stored
from gatefill.masks.pixels import bytes_of
from gatefill.masks.select_object import checked, refined

_SIDE = 256  # side of the network's input
_CONTEXT = 0.25  # margin around the box for the network, as a share of its sides
_LIKELY = 0.5  # smallest probability of a pixel of a person
_SURE = 0.9  # a tenth of a person's pixels must reach this probability


def select_people(photo: Source | Photo, box: Sequence[int] | None = None) -> Mask:
    """Find all people in a photo, or those in a box.

    The network's input has 256 x 256 pixels, so that people far from the camera are found only with
    a box around them. In a photo without people it may detect a rock as a person.

    Args:
        photo: As for `Inpainter.__call__`.
        box: ``(left, top, right, bottom)`` in pixels of the upright photo; None: the whole photo.

    Returns:
        Bool ``HW``, True on people, with clothes and objects they hold; all False without people.

    Raises:
        ConfigError: If the box does not fit the photo.
        DataError: If the network was not downloaded with `gatefill.masks.fetch_models`.
        ImageError: If the photo cannot be read.

    The network is MediaPipe's Selfie Segmentation (general model); GrabCut aligns the border with
    changes of color, as for objects.
    """
    pixels = bytes_of(photo)
    height, width = pixels.shape[:2]
    area = checked(box, (height, width))
    seen = area.grown(round(_CONTEXT * max(area.height, area.width)), height, width)
    part = np.ascontiguousarray(pixels[seen.slices])
    inside = np.zeros(part.shape[:2], np.bool_)
    inside[area.moved(-seen.top, -seen.left).slices] = True
    likely = _only_sure(np.where(inside, _likelihood(part), np.float32(0)))
    mask = np.zeros((height, width), np.bool_)
    if likely.any():
        mask[seen.slices] = refined(part, likely, inside)
    return mask


def _only_sure(likely: NDArray[np.float32]) -> NDArray[np.float32]:
    """Drop components in which no part is a person with high probability."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats((likely > _LIKELY).view(np.uint8))
    sure = np.bincount(labels[likely > _SURE], minlength=len(stats)) >= stats[:, 4] / 10
    sure[0] = False
    near = cv2.dilate(sure[labels].view(np.uint8), np.ones((9, 9), np.uint8)) > 0
    return np.where(near, likely, np.float32(0))


def _likelihood(part: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the probability that each pixel belongs to a person, in [0, 1]."""
    # Created for each call: OpenCV stores the input in the network, so threads cannot share one.
    network = cv2.dnn.readNetFromTFLite(str(stored(PEOPLE)))
    small: Any = cv2.resize(part, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    network.setInput(cv2.dnn.blobFromImage(small, 1 / 255))
    found: Any = network.forward()[0, 0]
    return np.asarray(cv2.resize(found, (part.shape[1], part.shape[0])), np.float32)
