"""Removes the seams between parts of a hole that were copied from different positions.

Gradient-domain blending (Perez, Gangnet, Blake: Poisson Image Editing, SIGGRAPH 2003) of many small
copies at once. The difference between two neighbors in the hole should be that at their source; if
their sources are not neighbors, both differences are combined. A change of light between two copies
is in neither difference, so it is spread until it is invisible. Differences from the paper (for
measurements see docs/patchmatch.md):
- The fill is pulled back to its colors, so that a seam is spread over ten pixels, not the whole
hole. - Differences as large as between two materials are kept: spread, they would leave a halo.
- Of two differences in one direction the larger is taken: their mean would blur texture.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gatefill.compiling import compiled, inlined
from gatefill.geometry import bounding_box, hole_pixels
from gatefill.methods.base import Image, Mask
from gatefill.parallel import Threads
from gatefill.stopping import stop_point

HOLD = 0.01  # weight of the pull back to the fill; seams spread over 1 / sqrt(HOLD) pixels
LARGEST_SEAM = 0.16  # larger changes of a difference are not made
ROUNDS = 30  # iterations of relaxation; the remaining error is below a gray level

LEAST_PIXELS = 2048  # smallest number of pixels worth another thread

Plane = NDArray[np.int32]


def seam_change(
    filled: Image,
    mask: Mask,
    copied_y: Plane,
    copied_x: Plane,
    tick: Callable[[], None] | None = None,
    threads: Threads | None = None,
) -> Image:
    """Compute the correction of the hole's pixels that removes seams.

    Args:
        filled: ``HW3`` in [0, 1], the photo with its filled hole.
        mask: ``HW``, True = hole.
        copied_y: ``HW``, row of the known pixel that each hole pixel's detail was copied from; -1
            for none.
        copied_x: ``HW``, its column.
        tick: Called frequently; an exception it raises cancels the work.
        threads: The threads to use. Default: only the current one.

    Returns:
        ``N3``, to be added to the N hole pixels in scan order.
    """
    box = bounding_box(mask)
    if box is None:
        return np.zeros((0, 3), np.float32)
    threads = Threads(1) if threads is None else threads
    ys, xs = hole_pixels(mask)
    stop_point()
    wanted = np.zeros((3, len(ys)), np.float32)
    threads.run(
        _add_wanted, len(ys), filled, mask, copied_y, copied_x, ys, xs, np.float32(LARGEST_SEAM),
        wanted, least=LEAST_PIXELS, tick=tick,
    )  # fmt: skip
    stop_point()
    scale = 1 / (_sides(ys, mask.shape[0]) + _sides(xs, mask.shape[1]) + np.float32(HOLD))
    places = ((ys - box.top + 1) * (box.width + 2) + (xs - box.left + 1)).astype(np.uint32)
    # Red-black ordering, as on a chessboard: white pixels have black neighbors only, so that
    # updates of one color do not depend on each other.
    black = ((ys + xs) & 1).astype(np.bool_)
    order = np.concatenate([np.flatnonzero(~black), np.flatnonzero(black)])
    # The border of one pixel around the box stays 0, like everything known.
    change = np.zeros((3, (box.height + 2) * (box.width + 2)), np.float32)
    pixels = places[order], wanted[:, order], scale[order].astype(np.float32)
    for _ in range(0, ROUNDS, ROUNDS // 6):
        threads.run(_relax, 3, change, *pixels, box.width + 2, ROUNDS // 6)
        if tick is not None:
            tick()
    return np.ascontiguousarray(change[:, places].T)


def _sides(axis: Plane, length: int) -> NDArray[np.int64]:
    """Return the number of neighbors along one axis inside the photo."""
    return (axis > 0).astype(np.int64) + (axis < length - 1)


@inlined
def _change(filled: Any, ways: Any, channel: Any) -> Any:
    """Return the change of the difference p to q, whose sources are a to b and c to d."""
    here, there, a, b, c, d, p, q = ways
    first = filled[a[0], a[1], channel] - filled[b[0], b[1], channel] if here else np.float32(0)
    second = filled[c[0], c[1], channel] - filled[d[0], d[1], channel] if there else first
    if not here:
        first = second
    step = (first + second) / 2
    if first * second > 0:
        step = first if abs(first) > abs(second) else second
    return step - (filled[p[0], p[1], channel] - filled[q[0], q[1], channel])


@compiled()
def _add_wanted(
    start: int,
    stop: int,
    filled: Any,
    mask: Any,
    copied_y: Any,
    copied_x: Any,
    ys: Any,
    xs: Any,
    largest: Any,
    total: Any,
) -> None:
    """Sum the changes of differences from each pixel to its neighbors: ``3N``."""
    height, width = mask.shape
    for i in range(start, stop):
        y, x = ys[i], xs[i]
        # the source of this pixel
        ay, ax = copied_y[y, x], copied_x[y, x]
        for down, right in ((0, 1), (1, 0), (0, -1), (-1, 0)):
            qy, qx = y + down, x + right
            if not (0 <= qy < height and 0 <= qx < width):
                continue
            # the neighbor of that source
            by, bx = ay + down, ax + right
            here = ay >= 0 and 0 <= by < height and 0 <= bx < width and not mask[by, bx]
            # the source of the neighbor
            dy, dx = copied_y[qy, qx], copied_x[qy, qx]
            cy, cx = dy - down, dx - right
            there = dy >= 0 and 0 <= cy < height and 0 <= cx < width and not mask[cy, cx]
            if not here and not there:
                continue
            ways = here, there, (ay, ax), (by, bx), (cy, cx), (dy, dx), (y, x), (qy, qx)
            red = _change(filled, ways, 0)
            green = _change(filled, ways, 1)
            blue = _change(filled, ways, 2)
            most = max(abs(red), abs(green), abs(blue))
            share = max(np.float32(0), 1 - (most / largest) ** 4)
            total[0, i] += share * red
            total[1, i] += share * green
            total[2, i] += share * blue


@compiled()
def _relax(
    start: int,
    stop: int,
    change: Any,
    places: Any,
    wanted: Any,
    scale: Any,
    width: int,
    rounds: int,
) -> None:
    """Solve ``change / scale - sum of the neighbors' change = wanted`` in place, for some colors.

    By successive over-relaxation with the optimal factor for a large hole (Young 1954). `places`
    are flat, and unsigned, so that numba does not handle negative indices.
    """
    spread = 4 / (4 + HOLD)
    factor = np.float32(2 / (1 + np.sqrt(1 - spread**2)))
    row, one = np.uint64(width), np.uint64(1)
    for c in range(start, stop):
        plane, goal = change[c], wanted[c]
        for _ in range(rounds):
            for i in range(places.size):
                p = np.uint64(places[i])
                around = plane[p - row] + plane[p + row] + plane[p - one] + plane[p + one]
                plane[p] += factor * ((goal[i] + around) * scale[i] - plane[p])
