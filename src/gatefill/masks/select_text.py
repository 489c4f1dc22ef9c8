"""Finds text in a photo, such as captions, dates and watermarks."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from gatefill.images import Photo, Source
from gatefill.masks.base import Mask
from gatefill.masks.models import TEXT, session
from gatefill.masks.pixels import bytes_of

_LONGEST = 1280  # longest side of the network's input, pixels
_STEP = 32  # the sides of its input are multiples of this
_LIKELY = 0.3  # smallest probability of a text pixel
_SURE = 0.5  # smallest mean probability of a line of text
_UNCLIP = 1.6  # detected middles of lines are dilated by area / perimeter times this
_LEAST = 3  # height of the thinnest line, pixels


def select_text(photo: Source | Photo) -> Mask:
    """Find lines of text, printed or in the scene, of any script and direction.

    Args:
        photo: As for `Inpainter.__call__`.

    Returns:
        Bool ``HW``, True in rectangles around the lines.

    Raises:
        DataError: If the network was not downloaded with `gatefill.masks.fetch_models`.
        ImageError: If the photo cannot be read.

    The network is the detector of PP-OCRv4, a DBNet (Liao et al., "Real-Time Scene Text Detection
    with Differentiable Binarization", AAAI 2020).
    """
    pixels = bytes_of(photo)
    height, width = pixels.shape[:2]
    likely = _likelihood(pixels)
    down, across = height / likely.shape[0], width / likely.shape[1]
    mask = np.zeros((height, width), np.uint8)
    contours, _ = cv2.findContours(
        (likely > _LIKELY).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE
    )
    for contour in contours:
        center, (long, short), angle = cv2.minAreaRect(contour)
        if min(long, short) < _LEAST or _mean(likely, contour) < _SURE:
            continue
        more = _UNCLIP * long * short / (long + short)
        corners = cv2.boxPoints((center, (long + more, short + more), angle))
        cv2.fillPoly(mask, [np.rint(corners * (across, down)).astype(np.int32)], 1)
    return mask > 0


def _likelihood(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the probability of the middle of a text line, ``HW`` at the network's input size."""
    height, width = pixels.shape[:2]
    scale = min(1.0, _LONGEST / max(height, width))
    size = [max(_STEP, round(side * scale / _STEP) * _STEP) for side in (width, height)]
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    values: Any = small[..., ::-1].astype(np.float32) / 127.5 - 1
    (found,) = session(TEXT).run(None, {"x": values.transpose(2, 0, 1)[None]})
    return np.asarray(found[0, 0], np.float32)


def _mean(likely: NDArray[np.float32], contour: Any) -> float:
    left, top, width, height = cv2.boundingRect(contour)
    inside = np.zeros((height, width), np.uint8)
    cv2.fillPoly(inside, [contour - (left, top)], 1)
    part = np.ascontiguousarray(likely[top : top + height, left : left + width])
    return float(cv2.mean(part, inside)[0])
