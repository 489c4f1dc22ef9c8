"""The inner loops of PatchMatch, compiled by numba; threads divide the hole between them.

A *field* gives for every *target* patch (one that touches the hole) the center of its most similar
*source* patch and the cost of that match. Patches are compared by uint8 *features*, such as color
and texture. They are stored flat, with rows padded by the patch radius on all sides, so that the
center of a patch in the image is its corner in the features.

All kernels process their items ``start`` to ``stop - 1``, so that `Threads.run` can distribute
them, and release the interpreter lock. The result does not depend on the number of threads: no
thread reads what another one writes, and random numbers depend on position, seed and pass only.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gatefill.compiling import Bundle, compiled, inlined
from gatefill.methods.patchmatch.distance import squared_distance

BLOCK = 32  # side of the blocks that are searched in parallel, pixels
NEVER = np.int32(2**31 - 1)  # larger than any cost
NOWHERE = -(2**24)  # a row outside every patch


class _Patches(NamedTuple):
    features: NDArray[np.uint8]  # flat, of rows padded by the patch radius
    shape: tuple[int, int, int]  # bytes per row of the features, channels, side of a patch
    ys: NDArray[np.int32]  # centers of the targets, block by block
    xs: NDArray[np.int32]
    penalty: NDArray[np.int32]  # HW, cost added for a source at this position


class Patches(Bundle, _Patches):
    """The target patches, and the features by which they are compared."""


class _Field(NamedTuple):
    y: NDArray[np.int32]  # far above the image without a target
    x: NDArray[np.int32]
    cost: NDArray[np.int32]


class Field(Bundle, _Field):
    """For each target the center of its match, and the cost; all ``HW``."""


@inlined
def _mix(position: Any, salt: Any) -> Any:
    """Return a 32-bit hash, never 0: the start of a random sequence."""
    h = np.uint32(position) * np.uint32(0x9E3779B1) ^ np.uint32(salt) * np.uint32(0x85EBCA77)
    h = np.uint32(h ^ (h >> np.uint32(16)))
    h = np.uint32(h * np.uint32(0x7FEB352D))
    h = np.uint32(h ^ (h >> np.uint32(15)))
    return np.uint32(h | np.uint32(1))


@inlined
def _next(state: Any) -> Any:
    """Return the next state of a 32-bit xorshift generator (Marsaglia 2003)."""
    state = np.uint32(state ^ (state << np.uint32(13)))
    state = np.uint32(state ^ (state >> np.uint32(17)))
    return np.uint32(state ^ (state << np.uint32(5)))


@inlined
def _below(number: Any, limit: Any) -> Any:
    """Scale a random number of 16 bits to 0..`limit` - 1; cheaper than a remainder."""
    return np.int64(np.uint64(number) * np.uint64(limit) >> np.uint64(16))


@inlined
def _cost(
    features: Any, penalty: Any, shape: Any, y: Any, x: Any, sy: Any, sx: Any, bound: Any
) -> Any:
    """Return the cost of matching target (y, x) with source (sy, sx); exact below `bound`.

    `shape` is stride, channels and side of the patches.
    """
    extra = penalty[sy, sx]
    if extra >= bound:
        return bound
    stride, channels, side = shape
    a, b = y * stride + x * channels, sy * stride + sx * channels
    distance = squared_distance(features, stride, a, b, side, side * channels, bound - extra)
    return np.int32(distance + extra)


@compiled()
def measure(start: int, stop: int, patches: Patches, field: Field) -> None:
    """Recompute the cost of every match of the field after the features changed."""
    features, penalty, shape = patches.features, patches.penalty, patches.shape
    ys, xs = patches.ys, patches.xs
    field_y, field_x, field_cost = field
    for i in range(start, stop):
        y, x = ys[i], xs[i]
        field_cost[y, x] = _cost(
            features, penalty, shape, y, x, field_y[y, x], field_x[y, x], NEVER
        )


@compiled()
def inherit(
    start: int, stop: int, patches: Patches, field: Field, coarse: Field, matched: Any
) -> None:
    """Initialize targets with the scaled match of their position in the coarser level, if any."""
    height, width = field.cost.shape
    rows, columns = coarse.cost.shape
    for i in range(start, stop):
        y, x = patches.ys[i], patches.xs[i]
        cy, cx = min(y // 2, rows - 1), min(x // 2, columns - 1)
        if coarse.cost[cy, cx] < NEVER:
            matched[i] = True
            field.y[y, x] = min(2 * coarse.y[cy, cx] + y % 2, height - 1)
            field.x[y, x] = min(2 * coarse.x[cy, cx] + x % 2, width - 1)


@compiled()
def scatter(
    start: int,
    stop: int,
    patches: Patches,
    field: Field,
    source_y: Any,
    source_x: Any,
    tries: int,
    seed: int,
) -> None:
    """Give every target the best of some sources drawn at random from a list."""
    features, penalty, shape = patches.features, patches.penalty, patches.shape
    ys, xs = patches.ys, patches.xs
    field_y, field_x, field_cost = field
    for i in range(start, stop):
        y, x = ys[i], xs[i]
        state = _mix(i, seed)
        best = NEVER
        for _ in range(tries):
            state = _next(state)
            k = np.int64(state % np.uint32(source_y.size))
            cost = _cost(features, penalty, shape, y, x, source_y[k], source_x[k], best)
            if cost < best:
                best = cost
                field_y[y, x], field_x[y, x] = source_y[k], source_x[k]
        field_cost[y, x] = best


@compiled()
def sweep(
    start: int,
    stop: int,
    patches: Patches,
    field: Field,
    old_y: Any,
    old_x: Any,
    targets: Any,
    block_start: Any,
    forward: bool,
    radius: int,
    seed: int,
) -> None:
    """One pass of propagation and random search (Barnes et al. 2009, section 3.2).

    Within a block the pass is sequential, forward or backward, so that a good match spreads through
    the whole block; across block borders it reads the field before the pass (`old`).
    """
    features, penalty, shape = patches.features, patches.penalty, patches.shape
    ys, xs = patches.ys, patches.xs
    field_y, field_x, field_cost = field
    height, width = targets.shape
    step = -1 if forward else 1
    for block in range(start, stop):
        first, last = block_start[block], block_start[block + 1]
        block_y, block_x = ys[first] // BLOCK, xs[first] // BLOCK
        for j in range(last - first):
            i = first + j if forward else last - 1 - j
            y, x = ys[i], xs[i]
            best, best_y, best_x = field_cost[y, x], field_y[y, x], field_x[y, x]

            # propagation from the two neighbors visited before
            for which in range(2):
                ny = y + step if which == 0 else y
                nx = x if which == 0 else x + step
                if ny < 0 or nx < 0 or ny >= height or nx >= width or not targets[ny, nx]:
                    continue
                if ny // BLOCK == block_y and nx // BLOCK == block_x:
                    sy, sx = field_y[ny, nx] + y - ny, field_x[ny, nx] + x - nx
                else:
                    sy, sx = old_y[ny, nx] + y - ny, old_x[ny, nx] + x - nx
                if sy < 0 or sx < 0 or sy >= height or sx >= width:
                    continue
                if sy == best_y and sx == best_x:
                    continue
                cost = _cost(features, penalty, shape, y, x, sy, sx, best)
                if cost < best:
                    best, best_y, best_x = cost, sy, sx

            # random search in windows of halving radius around the best match
            state = _mix(y * width + x, seed)
            reach = radius
            while reach >= 1:
                top, bottom = max(best_y - reach, 0), min(best_y + reach, height - 1)
                left, right = max(best_x - reach, 0), min(best_x + reach, width - 1)
                state = _next(state)
                sy = top + _below(state >> np.uint32(16), bottom - top + 1)
                sx = left + _below(state & np.uint32(0xFFFF), right - left + 1)
                cost = _cost(features, penalty, shape, y, x, sy, sx, best)
                if cost < best:
                    best, best_y, best_x = cost, sy, sx
                reach //= 2

            field_y[y, x], field_x[y, x], field_cost[y, x] = best_y, best_x, best


@compiled()
def try_offsets(
    start: int, stop: int, patches: Patches, field: Field, offset_y: Any, offset_x: Any
) -> None:
    """Try for each target the sources at some offsets, such as those shared by many matches."""
    features, penalty, shape = patches.features, patches.penalty, patches.shape
    ys, xs = patches.ys, patches.xs
    field_y, field_x, field_cost = field
    height, width = penalty.shape
    for i in range(start, stop):
        y, x = ys[i], xs[i]
        best, best_y, best_x = field_cost[y, x], field_y[y, x], field_x[y, x]
        for k in range(offset_y.size):
            sy, sx = y + offset_y[k], x + offset_x[k]
            if sy < 0 or sx < 0 or sy >= height or sx >= width:
                continue
            if sy == best_y and sx == best_x:
                continue
            cost = _cost(features, penalty, shape, y, x, sy, sx, best)
            if cost < best:
                best, best_y, best_x = cost, sy, sx
        field_y[y, x], field_x[y, x], field_cost[y, x] = best_y, best_x, best
