"""Images with holes at several resolutions: halving, smooth filling, texture.

Averages never include pixels in the hole.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from gatefill.methods.base import Image, Mask
from gatefill.stopping import STRIP, stop_point, strips

SOME = 0.01  # smallest known share of a kernel for a valid mean
HALVED = 1 << 17  # pixels of the coarse image to process at a time

_BINOMIAL = np.array([1, 5, 10, 10, 5, 1], np.float32) / 32


def halve(
    image: Image, known: Mask, tick: Callable[[], None] | None = None
) -> tuple[Image, Mask, NDArray[np.float32]]:
    """Halve the size, rounded up: average the known pixels under a 6x6 binomial kernel.

    Args:
        image: ``HWC`` with at most 3 channels.
        known: ``HW``, True = known.
        tick: Called frequently; an exception it raises cancels the work.

    Returns:
        The image ``hwC``; ``hw``, True where any pixel below is known (holes shrink from level to
        level, and thin ones disappear); and the known share of each pixel's kernel, in [0, 1].
    """
    height, width = known.shape
    rows, columns = (height + 1) // 2, (width + 1) // 2
    coarse = np.empty((rows, columns, image.shape[2]), np.float32)
    share = np.empty((rows, columns), np.float32)
    inside = _kernel_inside(height), _kernel_inside(width)
    # In strips, so that a large photo is not copied.
    strip = max(HALVED // max(width, 1), 8)
    for top in range(0, rows, strip):
        stop_point()
        bottom = min(top + strip, rows)
        first, last = max(2 * top - 2, 0), min(2 * bottom + 3, height)
        planes = np.empty((last - first, width, image.shape[2] + 1), np.float32)
        planes[..., -1] = known[first:last]
        np.multiply(image[first:last], planes[..., -1:], out=planes[..., :-1])
        margin = (2 if top == 0 else 0), (3 + height % 2 if bottom == rows else 0)
        sums = _binomial_halves(planes, *margin)[: bottom - top]
        share[top:bottom] = sums[..., -1] / np.outer(inside[0][top:bottom], inside[1])
        some = share[top:bottom] > SOME
        mean = sums[..., :-1] / np.maximum(sums[..., -1:], 1e-6)
        coarse[top:bottom] = np.where(some[..., None], mean, 0)
        if tick is not None:
            tick()
    return coarse, share > SOME, share


def _kernel_inside(length: int) -> NDArray[np.float32]:
    """Return the share of the kernel inside the image for each coarse pixel along one side."""
    padded = np.zeros(length + 5 + length % 2, np.float32)
    padded[2 : 2 + length] = 1
    return np.convolve(padded, _BINOMIAL, "valid")[::2].astype(np.float32)


def _binomial_halves(planes: NDArray[np.float32], above: int, below: int) -> NDArray[np.float32]:
    """Apply the kernel at every second pixel, with rows of zeros padded above and below."""
    width = planes.shape[1]
    padded = cv2.copyMakeBorder(
        planes, above, below, 2, 3 + width % 2, cv2.BORDER_CONSTANT, value=(0, 0, 0, 0)
    )
    blurred = cv2.sepFilter2D(
        padded, -1, _BINOMIAL, _BINOMIAL, anchor=(0, 0), borderType=cv2.BORDER_CONSTANT
    )
    halves = np.asarray(blurred, np.float32)[::2, : width + width % 2 : 2]
    return halves.reshape(*halves.shape[:2], -1)  # OpenCV drops a single channel


def pull_push(image: Image, known: Mask) -> Image:
    """Fill the unknown pixels smoothly from a pyramid of the known ones."""
    if known.all():
        return image
    if not known.any():
        return np.full_like(image, 0.5)
    coarse, some, _ = halve(image, known)
    if coarse.shape == image.shape:  # a single unknown pixel
        return np.full_like(image, 0.5)
    smooth = enlarge(pull_push(coarse, some), *known.shape).reshape(image.shape)
    stop_point()
    return np.where(known[..., None], image, smooth)


def enlarge(image: Image, height: int, width: int) -> Image:
    """Resize an image ``hwC`` to height x width by bilinear interpolation."""
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR))


def shrink(
    plane: NDArray[np.float32] | Mask, height: int, width: int, known: Mask | None = None
) -> NDArray[np.float32]:
    """Downscale a plane by area averaging.

    Args:
        plane: ``HW`` or ``HWC``.
        height, width: The new size, at most that of `plane`.
        known: ``HW``; other pixels count as 0. None: all pixels are known.

    Returns:
        The plane at the new size, float32.
    """
    tall, wide = plane.shape[:2]
    if plane.size <= 3 * STRIP:
        plane = plane.astype(np.float32, copy=False)
        plane = plane if known is None else plane * known[..., None]
        return np.asarray(cv2.resize(plane, (width, height), interpolation=cv2.INTER_AREA))
    # Rows first, in strips, then columns, so that no single call works on a whole large photo.
    narrow = np.empty((tall, width, *plane.shape[2:]), np.float32)
    for rows in strips(tall, wide):
        part = plane[rows].astype(np.float32, copy=False)
        part = part if known is None else part * known[rows, :, None]
        size = width, rows.stop - rows.start
        small = cv2.resize(part, size, interpolation=cv2.INTER_AREA)
        narrow[rows] = small.reshape(narrow[rows].shape)
    return np.asarray(cv2.resize(narrow, (width, height), interpolation=cv2.INTER_AREA))


def smoothed(image: Image, known: Mask) -> Image:
    """Return the mean of the known pixels in each 3x3 neighborhood, ``HW3``."""
    weight = known.astype(np.float32)
    sums = cv2.boxFilter(image * weight[..., None], -1, (3, 3), borderType=cv2.BORDER_REFLECT)
    stop_point()
    share = cv2.boxFilter(weight, -1, (3, 3), borderType=cv2.BORDER_REFLECT)
    stop_point()
    return np.asarray(sums / np.maximum(share, 1e-6)[..., None])


def texture_energy(image: Image, known: Mask) -> NDArray[np.float32]:
    """Return the mean absolute gradient of the gray image around each pixel, ``HW``.

    At coarse levels color alone cannot distinguish sharp from blurred texture (Newson et al., IPOL
    2017, section 2.2). Unknown pixels get the energy of their surroundings.

    image: ``HW3`` in [0, 1]. known: ``HW``.
    """
    gray = image @ np.full(3, 1 / 3, np.float32)
    energy = np.abs(np.diff(gray, axis=0, append=gray[-1:]))
    energy += np.abs(np.diff(gray, axis=1, append=gray[:, -1:]))
    stop_point()
    inside = cv2.erode(known.astype(np.float32), np.ones((3, 3)))
    sums = cv2.boxFilter(energy * inside, -1, (5, 5))
    share = cv2.boxFilter(inside, -1, (5, 5))
    stop_point()
    measured = (share > 1e-3) & known
    energy = np.where(measured, sums / np.maximum(share, 1e-3), 0).astype(np.float32)
    return pull_push(energy[..., None], measured)[..., 0]
