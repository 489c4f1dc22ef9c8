"""Fill many specks, such as dust, in an atlas: a small picture of nothing but their surroundings.

What fills a speck is found close to it. The pyramid, the features and the blending of a whole frame
would cost as much as the frame has pixels; in an atlas they cost what the specks and their margins
have.
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
CLOSE = 8  # holes with at most so many pixels between them share a crop
MARGIN = 14  # of a crop around its hole, pixels
FEWEST = 8  # crops that are worth an atlas
LARGEST = 0.5  # share of the frame's pixels above which an atlas is not worth it
MATERIAL = 64  # pixels to copy from that every crop must have


@dataclass(frozen=True, eq=False)
class Atlas:
    """Crops of a frame, side by side, with a pixel between them that is no material."""

    places: NDArray[np.int64]  # HW, the pixel of the frame, counted in scan order; -1 between crops
    own: Mask  # HW, the hole pixels that a crop is there for; others may be in several crops

    def packed(self, plane: NDArray[Any]) -> NDArray[Any]:
        """A plane of the frame, ``hw`` or ``hwC``, in the atlas; 0 between the crops."""
        flat = plane.reshape(-1, *plane.shape[2:])
        taken = np.take(flat, self.places, axis=0, mode="clip")
        taken[self.places < 0] = 0
        return taken

    def unpacked(self, found: Fill, image: Image) -> Fill:
        """A fill of the atlas, put back into the frame ``hw3`` that the atlas is of."""
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
        material: ``hw``, True = may be copied into the hole, as far as it is known.

    Returns:
        The atlas; None if the frame should be filled as it is: it has a larger hole, or few holes,
        or so many that their crops are no smaller than the frame, or too little material near one.
    """
    square = np.ones((SPECK + 1, SPECK + 1), np.uint8)
    if cv2.erode(mask.view(np.uint8), square, borderValue=0).any():
        return None  # most holes are known to be larger without a look at each
    near = cv2.dilate(mask.view(np.uint8), np.ones((CLOSE + 1, CLOSE + 1), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(near, connectivity=8)
    if count <= FEWEST:
        return None
    crops = []
    for label, (left, top, width, height, _) in enumerate(stats[1:].tolist(), 1):
        around = Box(top, left, top + height, left + width)
        # Several specks that share a crop may together be larger than one may be.
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
    """Put the crops on shelves, the tallest first; about as wide as high."""
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
