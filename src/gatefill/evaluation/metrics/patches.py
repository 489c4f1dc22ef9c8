"""A distance of patch statistics: is the fill like the photo, independent of position?

It needs no network. Sliced Wasserstein distances of patches on several scales are from Karras et
al., 'Progressive Growing of GANs' (ICLR 2018); here both sets are patches of the same hole.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from gatefill.evaluation.metrics.base import Mask, Pair

SIDE = 7  # side of a patch, pixels
SCALES = 3  # scales 1, 1/2 and 1/4
MOST_PATCHES = 4096  # per scale; of more, a random subset is used
DIRECTIONS = 128  # number of directions on which patches are projected
SEED = 20190404  # for directions and subsets: part of the definition


def sliced_wasserstein(pair: Pair) -> float | None:
    """Distance between the patches of the fill and those of the truth, in percent.

    Patches are 7x7x3, centered on hole pixels, inside the frame, with the mean of each channel
    subtracted. On each scale they are projected on 128 random unit vectors; the mean absolute
    difference of the sorted projections is averaged over vectors, then over the scales that have
    patches. None if the photo is too small for a patch.
    """
    truth, output = pair.truth.astype(np.float32), pair.output.astype(np.float32)
    mask: Mask = pair.mask
    distances = []
    for scale in range(SCALES):
        if scale:
            truth, output, mask = _halved(truth), _halved(output), _halved_mask(mask)
        spots = _spots(mask)
        if spots.size:
            distances.append(_distance(_patches(truth, spots), _patches(output, spots)))
        if min(mask.shape) < 2:
            break
    return 100 / 255 * float(np.mean(distances)) if distances else None


def _spots(mask: Mask) -> NDArray[np.intp]:
    """Return rows and columns ``2N`` of hole pixels around which a patch fits."""
    reach = SIDE // 2
    inside = mask[reach : mask.shape[0] - reach, reach : mask.shape[1] - reach]
    spots = np.stack(np.nonzero(inside))
    if spots.shape[1] > MOST_PATCHES:
        rng = np.random.Generator(np.random.PCG64(SEED))
        spots = spots[:, np.sort(rng.choice(spots.shape[1], MOST_PATCHES, replace=False))]
    return spots


def _patches(picture: NDArray[np.float32], spots: NDArray[np.intp]) -> NDArray[np.float32]:
    """Return patches ``NC`` with the mean of each channel subtracted."""
    windows = np.lib.stride_tricks.sliding_window_view(picture, (SIDE, SIDE), axis=(0, 1))
    patches: NDArray[np.float32] = windows[spots[0], spots[1]].reshape(spots.shape[1], 3, -1)
    patches = patches - patches.mean(axis=2, keepdims=True)
    return np.asarray(patches.reshape(spots.shape[1], -1))


def _distance(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    vectors = _directions(one.shape[1])
    sorted_one, sorted_other = np.sort(one @ vectors, axis=0), np.sort(other @ vectors, axis=0)
    return float(np.abs(sorted_one - sorted_other).mean(dtype=np.float64))


@lru_cache
def _directions(size: int) -> NDArray[np.float32]:
    rng = np.random.Generator(np.random.PCG64(SEED))
    vectors = rng.standard_normal((size, DIRECTIONS))
    return np.asarray(vectors / np.linalg.norm(vectors, axis=0), np.float32)


def _halved(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return means of 2x2 pixels; an odd last row or column is dropped."""
    part: Any = picture[: picture.shape[0] // 2 * 2, : picture.shape[1] // 2 * 2]
    size = part.shape[1] // 2, part.shape[0] // 2
    return np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_AREA), np.float32)


def _halved_mask(mask: Mask) -> Mask:
    """Downscale a mask; hole if any of 2x2 pixels is."""
    height, width = mask.shape[0] // 2, mask.shape[1] // 2
    cells = mask[: 2 * height, : 2 * width].reshape(height, 2, width, 2)
    return np.asarray(cells.any(axis=(1, 3)))
