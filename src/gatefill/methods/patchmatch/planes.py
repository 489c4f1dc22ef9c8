"""Whole-frame passes of PatchMatch, compiled and distributed over threads.

They compute the same as the functions of `pyramid`, which all methods can use, in less time: each
reads its input once and makes no copies.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from gatefill.compiling import compiled, inlined
from gatefill.methods import pyramid
from gatefill.methods.base import Image, Mask
from gatefill.parallel import Threads
from gatefill.stopping import stop_point

LEAST_ROWS = 32  # smallest number of rows worth another thread
MARGIN = 6  # padding of line buffers, pixels
# weights of the 6x6 kernel along one side
OUTER, MIDDLE, INNER = np.float32(1 / 32), np.float32(5 / 32), np.float32(10 / 32)


def halve(
    image: Image, known: Mask, threads: Threads, tick: Callable[[], None] | None = None
) -> tuple[Image, Mask, NDArray[np.float32]]:
    """Compute `pyramid.halve` of an image ``HWC`` that is 0 at unknown pixels."""
    stop_point()
    height, width = known.shape
    rows, columns = (height + 1) // 2, (width + 1) // 2
    coarse = np.empty((rows, columns, image.shape[2]), np.float32)
    share = np.empty((rows, columns), np.float32)
    channels = image.shape[2]
    lines = np.empty((rows, (width + MARGIN) * (channels + 1)), np.float32)
    threads.run(
        _halve_rows, rows, image.reshape(-1), known.view(np.uint8).reshape(-1), channels,
        np.float32(pyramid.SOME), lines, coarse, share, least=LEAST_ROWS, tick=tick,
    )  # fmt: skip
    return coarse, share > pyramid.SOME, share


def pull_push(image: Image, known: Mask, threads: Threads) -> Image:
    """Compute `pyramid.pull_push` of an image ``HWC``, 0 at unknown pixels, in place."""
    if known.all() or not known.any() or min(known.shape) < LEAST_ROWS:
        return pyramid.pull_push(image, known)
    coarse, some, _ = halve(image, known, threads)
    stop_point()
    smooth = pyramid.enlarge(pull_push(coarse, some, threads), *known.shape)
    cv2.copyTo(smooth.reshape(image.shape), (~known).view(np.uint8), image)
    return image


def texture_energy(image: Image, known: Mask, threads: Threads) -> NDArray[np.float32]:
    """Compute `pyramid.texture_energy`, ``HW``."""
    square = np.ones((3, 3), np.uint8)
    inside = np.asarray(cv2.erode(known.view(np.uint8), square), np.uint8)
    stop_point()
    energy = np.empty(known.shape, np.float32)
    threads.run(_energy_rows, len(image), image, inside, energy, least=LEAST_ROWS)
    sums = cv2.boxFilter(energy, -1, (5, 5))
    share = cv2.boxFilter(inside, cv2.CV_32F, (5, 5))
    stop_point()
    measured = (share > 1e-3) & known
    np.divide(sums, share, out=energy, where=measured)
    energy[~measured] = 0
    return pull_push(energy[..., None], measured, threads)[..., 0]


def put_bytes(
    plane: Image, factor: float, out: NDArray[np.uint8], first: int, threads: Threads
) -> None:
    """Write channels in [0, 1], times a factor, as uint8 to channels of `out`, from `first` on."""
    stop_point()
    _, width, channels = plane.shape
    flat = np.ascontiguousarray(plane).reshape(-1)
    threads.run(
        _put_rows, len(plane), flat, width, channels, np.float32(factor), out.reshape(-1),
        out.shape[2], first, least=LEAST_ROWS,
    )  # fmt: skip


@compiled(fastmath=True)
def _halve_rows(
    start: int,
    stop: int,
    image: Any,
    known: Any,
    channels: int,
    least: Any,
    lines: Any,
    coarse: Any,
    share: Any,
) -> None:
    """Compute rows of the coarse image.

    image and known: flat. lines: in row `start`, space for one line of sums of the image and one of
    sums of the mask, both padded by 2 zeros on the left and 4 on the right.
    """
    columns = share.shape[1]
    width = lines.shape[1] // (channels + 1) - MARGIN
    height = known.size // width
    line, count = lines[start, : (width + MARGIN) * channels], lines[start, -width - MARGIN :]
    line[:] = 0
    count[:] = 0
    for row in range(start, stop):
        _add_lines(image, line, row, width * channels, 2 * channels, height)
        _add_lines(known, count, row, width, 2, height)
        down = _inside(row, height)
        for column in range(columns):
            part = _six(count, 2 * column, 1)
            share[row, column] = part / (down * _inside(column, width))
            scale = np.float32(1) / max(part, np.float32(1e-6))
            if not share[row, column] > least:
                scale = np.float32(0)
            for c in range(channels):
                coarse[row, column, c] = _six(line, 2 * column * channels + c, channels) * scale


@inlined
def _add_lines(plane: Any, line: Any, row: Any, length: Any, margin: Any, height: Any) -> None:
    """Add up, weighted by the kernel, the six rows of a plane that belong to a coarse row."""
    y = 2 * row - 2
    a, b, c, d, e, f = (
        _tap(y, OUTER, height), _tap(y + 1, MIDDLE, height), _tap(y + 2, INNER, height),
        _tap(y + 3, INNER, height), _tap(y + 4, MIDDLE, height), _tap(y + 5, OUTER, height),
    )  # fmt: skip
    for k in range(length):
        line[np.uint64(k + margin)] = (
            a[1] * plane[np.uint64(a[0] * length + k)]
            + b[1] * plane[np.uint64(b[0] * length + k)]
            + c[1] * plane[np.uint64(c[0] * length + k)]
            + d[1] * plane[np.uint64(d[0] * length + k)]
            + e[1] * plane[np.uint64(e[0] * length + k)]
            + f[1] * plane[np.uint64(f[0] * length + k)]
        )


@inlined
def _tap(y: Any, weight: Any, height: Any) -> Any:
    """Return a row and its weight; weight 0 for rows outside."""
    return (y, weight) if 0 <= y < height else (0, np.float32(0))


@inlined
def _six(line: Any, first: Any, step: Any) -> Any:
    """Sum six positions of a line, weighted by the kernel."""
    return (
        OUTER * (line[np.uint64(first)] + line[np.uint64(first + 5 * step)])
        + MIDDLE * (line[np.uint64(first + step)] + line[np.uint64(first + 4 * step)])
        + INNER * (line[np.uint64(first + 2 * step)] + line[np.uint64(first + 3 * step)])
    )


@inlined
def _inside(place: Any, length: Any) -> Any:
    """Return the share of the kernel inside the image along one side."""
    part = np.float32(1)
    left = length - 2 * place  # positions from the third tap on
    if place == 0:
        part -= OUTER + MIDDLE
    if left < 4:
        part -= OUTER
    if left < 3:
        part -= MIDDLE
    if left < 2:
        part -= INNER
    return part


@compiled()
def _energy_rows(start: int, stop: int, image: Any, inside: Any, energy: Any) -> None:
    """Compute absolute gradients of the gray image where all neighbors are known."""
    height, width, _ = image.shape
    for y in range(start, stop):
        below = min(y + 1, height - 1)
        here = _gray(image, y, 0)
        for x in range(width):
            right = _gray(image, y, min(x + 1, width - 1))
            change = abs(_gray(image, below, x) - here) + abs(right - here)
            energy[y, x] = change if inside[y, x] else np.float32(0)
            here = right


@inlined
def _gray(image: Any, y: Any, x: Any) -> Any:
    return (image[y, x, 0] + image[y, x, 1] + image[y, x, 2]) * np.float32(1 / 3)


@inlined
def _byte(value: Any) -> Any:
    whole = value * np.float32(255) + np.float32(0.5)
    return np.uint8(min(max(whole, np.float32(0)), np.float32(255)))


@compiled()
def _put_rows(
    start: int,
    stop: int,
    plane: Any,
    width: int,
    channels: int,
    factor: Any,
    out: Any,
    step: int,
    first: int,
) -> None:
    """Write pixels of flat planes; step: channels of `out`. A reshape here would need numba."""
    for c in range(channels):
        for pixel in range(start * width, stop * width):
            value = plane[np.uint64(pixel * channels + c)] * factor
            out[np.uint64(pixel * step + first + c)] = _byte(value)
