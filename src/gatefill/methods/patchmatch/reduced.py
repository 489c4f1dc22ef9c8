"""Fills a large hole at a reduced size, then copies fine detail from the matched positions.

At a reduced size, a method determines which position each part of the hole is copied from. At full
size, colors are those of the reduced fill, enlarged, and detail is that of the photo at the matched
positions: time and memory depend on the reduced size, except for one pass over the hole.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from gatefill.compiling import compiled, inlined
from gatefill.methods import pyramid
from gatefill.methods.base import Attention, Fill, Image, Mask, Progress, copied
from gatefill.parallel import Threads
from gatefill.stopping import stop_point

LARGEST_HOLE = 400_000  # largest hole that is filled at full size, pixels
MIXED = 0.95  # downscaled pixels with a smaller known share belong to the hole
SMALL_SHARE = 0.9  # share of the reduced fill in the reported progress
LARGEST_FRAME = 6_000_000  # largest frame that is filled at full size, pixels
FRAME_BYTES = 30  # per pixel of the frame at full size
ROWS = 64  # rows of the photo between two progress reports

Plane = NDArray[np.int32]


class FillWhole(Protocol):
    """A function that fills a photo at the given size, with the arguments of `Method.fill`."""

    def __call__(
        self,
        image: Image,
        mask: Mask,
        sketch: Mask | None,
        progress: Progress | None,
        search: Mask | None,
    ) -> Fill: ...


def halvings(pixels: int, hole: int) -> int:
    """Return how often a frame is halved until neither it nor its hole is too large.

    The limits are `LARGEST_FRAME` and `LARGEST_HOLE`, in pixels.
    """
    times = 0
    while hole > LARGEST_HOLE << 2 * times or pixels > LARGEST_FRAME << 2 * times:
        times += 1
    return times


def memory(pixels: int, hole: int, small_bytes: int) -> int:
    """Return the bytes that `fill_reduced` takes; small_bytes: per pixel of the reduced frame."""
    return FRAME_BYTES * pixels + small_bytes * (pixels >> 2 * halvings(pixels, hole))


def fill_reduced(
    fill: FillWhole,
    image: Image,
    mask: Mask,
    sketch: Mask | None = None,
    progress: Progress | None = None,
    search: Mask | None = None,
) -> Fill:
    """Fill a large hole at a reduced size, a small hole directly.

    Args:
        fill: Fills a photo; its attention must give the source of each hole pixel.
        image, mask, sketch, progress, search: See `Method.fill`.

    Returns:
        The filled image. For a reduced hole there is no coarse image, and the attention is in cells
        of the reduced size.
    """
    times = halvings(mask.size, int(np.count_nonzero(mask)))

    def begin() -> None:
        if progress is not None:
            progress(0.0)

    small, hole, region, drawing = image, mask, search, sketch
    for _ in range(times):
        small, _, share = pyramid.halve(small, ~hole, begin)
        stop_point()
        hole = share < MIXED
        region = None if region is None else _shrunk(region, hole.shape, 0.5)
        drawing = None if drawing is None else _shrunk(drawing, hole.shape, 0.1)
    material = ~hole if region is None else region & ~hole
    if not times or not material.any():
        return fill(image, mask, sketch, progress, search)
    first = None if progress is None else lambda share: progress(SMALL_SHARE * share)
    found = fill(np.ascontiguousarray(small), hole, drawing, first, region)
    filled = _enlarged(found, image, mask, times, search, progress)
    return Fill(filled, attention=_scaled(found.attention, 2**times, mask.shape))


def _shrunk(plane: Mask, size: tuple[int, ...], share: float) -> Mask:
    height, width = size
    small = cv2.resize(
        plane.view(np.uint8) * np.uint8(255), (width, height), interpolation=cv2.INTER_AREA
    )
    return np.asarray(small > share * 255)


def _enlarged(
    found: Fill,
    image: Image,
    mask: Mask,
    times: int,
    search: Mask | None,
    progress: Progress | None,
) -> Image:
    """Return the reduced fill at full size, with the detail of the positions it was copied from."""
    assert found.attention is not None
    shift_y, shift_x = _shifts(found.attention, found.image.shape[:2])
    known = ~mask if search is None else search & ~mask
    filled: Image = copied(image)
    with_hole = np.flatnonzero(mask.any(axis=1))
    first, last = int(with_hole[0]), int(with_hole[-1])
    with Threads() as threads:
        for top in range(first, last + 1, ROWS):
            bottom = min(top + ROWS, last + 1)
            threads.run(
                _transfer, bottom - top, top, found.image, shift_y, shift_x, image, mask, known,
                times, filled,
            )  # fmt: skip
            if progress is not None:
                done = (bottom - first) / (last + 1 - first)
                progress(SMALL_SHARE + (1 - SMALL_SHARE) * done)
    return filled


def _shifts(attention: Attention, size: tuple[int, ...]) -> tuple[Plane, Plane]:
    """Return for each reduced pixel the offset of its source; far away where nothing was copied."""
    shift_y, shift_x = np.full((2, *size), np.iinfo(np.int32).max // 256, np.int32)
    ys, xs = attention.target.T
    shift_y[ys, xs], shift_x[ys, xs] = (attention.source[:, 0] - attention.target).T
    return shift_y, shift_x


def _scaled(attention: Attention | None, scale: int, size: tuple[int, ...]) -> Attention | None:
    """Convert positions of reduced pixels to the centers of their cells at full size."""
    if attention is None:
        return None
    last = np.array(size, np.int32) - np.int32(1)
    target, source = (
        np.minimum(places * np.int32(scale) + np.int32(scale // 2), last)
        for places in (attention.target, attention.source)
    )
    return replace(attention, target=target, source=source, stride=attention.stride * scale)


@compiled()
def _transfer(
    start: int,
    stop: int,
    top: int,
    small: Any,
    shift_y: Any,
    shift_x: Any,
    image: Any,
    mask: Any,
    known: Any,
    times: int,
    filled: Any,
) -> None:
    """Compute rows ``top + start`` to ``top + stop - 1`` of the hole: color plus copied detail."""
    height, width = mask.shape
    for y in range(top + start, top + stop):
        for x in range(width):
            if not mask[y, x]:
                continue
            here = _sample(small, y, x, times)
            detail = (np.float32(0), np.float32(0), np.float32(0))
            sy = y + (shift_y[y >> times, x >> times] << times)
            sx = x + (shift_x[y >> times, x >> times] << times)
            if 0 <= sy < height and 0 <= sx < width and known[sy, sx]:
                there = _sample(small, sy, sx, times)
                detail = (
                    image[sy, sx, 0] - there[0],
                    image[sy, sx, 1] - there[1],
                    image[sy, sx, 2] - there[2],
                )
            for c in range(3):
                filled[y, x, c] = min(max(here[c] + detail[c], np.float32(0)), np.float32(1))


@inlined
def _sample(small: Any, y: Any, x: Any, times: int) -> Any:
    """Interpolate the reduced image at one pixel of the full size."""
    scale = np.float32(1 << times)
    v = (np.float32(y) + np.float32(0.5)) / scale - np.float32(0.5)
    u = (np.float32(x) + np.float32(0.5)) / scale - np.float32(0.5)
    v = min(max(v, np.float32(0)), np.float32(small.shape[0] - 1))
    u = min(max(u, np.float32(0)), np.float32(small.shape[1] - 1))
    row, column = int(v), int(u)
    below, right = min(row + 1, small.shape[0] - 1), min(column + 1, small.shape[1] - 1)
    v, u = v - np.float32(row), u - np.float32(column)
    return (
        _between(
            small[row, column, 0],
            small[row, right, 0],
            small[below, column, 0],
            small[below, right, 0],
            v,
            u,
        ),
        _between(
            small[row, column, 1],
            small[row, right, 1],
            small[below, column, 1],
            small[below, right, 1],
            v,
            u,
        ),
        _between(
            small[row, column, 2],
            small[row, right, 2],
            small[below, column, 2],
            small[below, right, 2],
            v,
            u,
        ),
    )


@inlined
def _between(a: Any, b: Any, c: Any, d: Any, v: Any, u: Any) -> Any:
    """Interpolate between four corners of a square: `v` down, `u` to the right."""
    first = a * (1 - u) + b * u
    second = c * (1 - u) + d * u
    return np.float32(first * (1 - v) + second * v)
