"""Find the people in a photo."""

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

_SIDE = 256  # the network's own size
_CONTEXT = 0.25  # of the box's sides: what the network sees around it
_LIKELY = 0.5  # a pixel is a person's from here on
_SURE = 0.9  # and a tenth of a person is at least as likely as this


def select_people(photo: Source | Photo, box: Sequence[int] | None = None) -> Mask:
    """Find all people in a photo, or those in a box.

    The network sees 256 x 256 pixels, so people far from the camera are found in a box only. In a
    photo without people it may take a rock for one.

    Args:
        photo: As for `Inpainter.__call__`.
        box: ``(left, top, right, bottom)`` in pixels of the upright photo; None looks everywhere.

    Returns:
        Bool ``HW``, True on people, with what they wear and hold; all False where there are none.

    Raises:
        ConfigError: If the box does not fit the photo.
        DataError: If the network is not there; `gatefill.masks.fetch_models` brings it.
        ImageError: If the photo cannot be read.

    The network is MediaPipe's Selfie Segmentation (general model); GrabCut moves the border to
    where colors change, as for objects.
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
    """Without what might be a person, but nowhere surely is one."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats((likely > _LIKELY).view(np.uint8))
    sure = np.bincount(labels[likely > _SURE], minlength=len(stats)) >= stats[:, 4] / 10
    sure[0] = False
    near = cv2.dilate(sure[labels].view(np.uint8), np.ones((9, 9), np.uint8)) > 0
    return np.where(near, likely, np.float32(0))


def _likelihood(part: NDArray[np.uint8]) -> NDArray[np.float32]:
    """How likely each pixel belongs to a person, in [0, 1]."""
    # Made for each call: a network of OpenCV holds its input, so threads cannot share one.
    network = cv2.dnn.readNetFromTFLite(str(stored(PEOPLE)))
    small: Any = cv2.resize(part, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    network.setInput(cv2.dnn.blobFromImage(small, 1 / 255))
    found: Any = network.forward()[0, 0]
    return np.asarray(cv2.resize(found, (part.shape[1], part.shape[0])), np.float32)
