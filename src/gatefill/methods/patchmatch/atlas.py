"""Fills many specks, such as dust, in an atlas: a small image made of their surroundings only.

The fill of a speck is found close to it. With a whole frame, the pyramid, the features and the
blending would take time for all its pixels; with an atlas, only for those of the specks and their
margins.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from gatefill.geometry import Box, longest_side
from gatefill.methods.base import Attention, Fill, Image, Mask

SPECK = 16  # longest side of a hole that is filled in an atlas, pixels
CLOSE = 8  # holes at most this many pixels apart share a crop
MARGIN = 14  # margin of a crop around its hole, pixels
FEWEST = 8  # smallest number of crops for an atlas
LARGEST = 0.5  # largest size of an atlas, as a share of the frame's pixels
MATERIAL = 64  # smallest number of pixels to copy from in each crop


@dataclass(frozen=True, eq=False)
class Atlas:
    """Crops of a frame, arranged side by side, separated by a pixel that is never copied from."""

    places: NDArray[np.int64]  # HW, index of the frame's pixel in scan order; -1 between crops
    own: Mask  # HW, hole pixels that a crop fills; other pixels may be in several crops

    def packed(self, plane: NDArray[Any]) -> NDArray[Any]:
        """Copy a plane of the frame, ``hw`` or ``hwC``, to the atlas; 0 between the crops."""
        flat = plane.reshape(-1, *plane.shape[2:])
        taken = np.take(flat, self.places, axis=0, mode="clip")
        taken[self.places < 0] = 0
        return taken

    def unpacked(self, found: Fill, image: Image) -> Fill:
        """Copy a fill of the atlas back to the frame, ``hw3``."""
        filled = image.copy()
        filled.reshape(-1, 3)[self.places[self.own]] = found.image[self.own]
        attention = found.attention
        assert attention is not None
        kept = self.own[tuple(attention.target.T)]
        target, source = attention.target[kept], attention.source[kept]
        return Fill(
            image=filled,
            attention=Attention(
                target=self._in_frame(target, image),
                source=self._in_frame(source, image),
                weight=attention.weight[kept],
                stride=attention.stride,
            ),
        )

    def _in_frame(self, pixels: NDArray[np.int32], image: Image) -> NDArray[np.int32]:
        places = self.places[pixels[..., 0], pixels[..., 1]]
        return np.stack(np.divmod(places, image.shape[1]), axis=-1).astype(np.int32)


def lay_out(mask: Mask, material: Mask) -> Atlas | None:
    """Lay out an atlas for the holes of a frame, if all are specks and it saves work.

    Args:
        mask: ``hw``, True = hole.
        material: ``hw``, True = may be copied from, where known.

    Returns:
        The atlas; None if the frame should be filled directly: if it has a larger hole, few holes,
        so many that their crops are no smaller than the frame, or too few pixels to copy from near
        one.
    """
    square = np.ones((SPECK + 1, SPECK + 1), np.uint8)
    if cv2.erode(mask.view(np.uint8), square, borderValue=0).any():
        return None  # a quick test for most larger holes
    near = cv2.dilate(mask.view(np.uint8), np.ones((CLOSE + 1, CLOSE + 1), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(near, connectivity=8)
    if count <= FEWEST:
        return None
    crops = []
    for label, (left, top, width, height, _) in enumerate(stats[1:].tolist(), 1):
        around = Box(top, left, top + height, left + width)
        # Specks that share a crop may together be larger than the limit.
        if max(width, height) > SPECK and longest_side(mask[around.slices]) > SPECK:
            return None
        crops.append((label, around.grown(MARGIN - CLOSE // 2, *mask.shape)))
    area = sum(box.area for _, box in crops)
    if area > LARGEST * mask.size:
        return None
    usable = material & ~mask
    if any(np.count_nonzero(usable[box.slices]) < MATERIAL for _, box in crops):
        return None
    return _shelved(crops, mask, np.asarray(labels), area)


def _shelved(crops: list[tuple[int, Box]], mask: Mask, labels: NDArray[Any], area: int) -> Atlas:
    """Arrange the crops on shelves, the tallest first; the atlas is about square."""
    crops = sorted(crops, key=lambda crop: -crop[1].height)
    length = max(round(1.1 * area**0.5), *(box.width for _, box in crops))
    spots, top, left, height = [], 0, 0, 0
    for _, box in crops:
        if left + box.width > length:
            top, left, height = top + height + 1, 0, 0
        spots.append((top, left))
        left, height = left + box.width + 1, max(height, box.height)
    places = np.full((top + height, length), -1, np.int64)
    own = np.zeros(places.shape, bool)
    for (label, box), (top, left) in zip(crops, spots, strict=True):
        spot = slice(top, top + box.height), slice(left, left + box.width)
        rows, columns = np.ogrid[box.slices]
        places[spot] = rows * mask.shape[1] + columns
        own[spot] = mask[box.slices] & (labels[box.slices] == label)
    return Atlas(places, own)
