"""The inner loops of PatchMatch, compiled by numba; threads share the hole between them.

Words: a *field* gives for every *target* patch (one that touches the hole) the center of its most
similar *source* patch and the cost of that match. Features are uint8: what two patches are
compared by, such as color and texture. They stand flat in memory, rows padded by the patch radius
on all sides, so that a patch's center in the image is its corner in the features.

All kernels work on the items ``start`` to ``stop - 1`` of theirs, so that `Threads.run` can hand
them out, and let go of the interpreter's lock. They give the same result for any number of threads:
none reads what another one writes, and random numbers depend on position, seed and pass only.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gatefill.methods.patchmatch.compiling import compiled, inlined

BLOCK = 32  # side of the blocks that are searched in parallel, pixels
NEVER = np.int32(2**31 - 1)  # a cost above all others
NOWHERE = -(2**24)  # a row that no patch reaches


class Patches(NamedTuple):
    """The target patches and what they are compared by."""

    features: NDArray[np.uint8]  # flat, of rows padded by the patch radius
    shape: tuple[int, int, int]  # bytes from row to row of the features, channels, side of a patch
    ys: NDArray[np.int32]  # centers of the targets, block by block
    xs: NDArray[np.int32]
    penalty: NDArray[np.int32]  # HW, what a source at this place costs beyond its distance


class Field(NamedTuple):
    """For each target the center of its match and the cost; all ``HW``."""

    y: NDArray[np.int32]  # far above the image where there is no target
    x: NDArray[np.int32]
    cost: NDArray[np.int32]


class Material(NamedTuple):
    """Where votes take color from."""

    image: NDArray[np.float32]  # HW3
    smooth: NDArray[np.float32]  # HW3, the image without its detail
    usable: NDArray[np.bool_]  # HW


@inlined
def _mix(position: Any, salt: Any) -> Any:
    """A 32-bit hash, never 0: where a random sequence starts."""
    h = np.uint32(position) * np.uint32(0x9E3779B1) ^ np.uint32(salt) * np.uint32(0x85EBCA77)
    h = np.uint32(h ^ (h >> np.uint32(16)))
    h = np.uint32(h * np.uint32(0x7FEB352D))
    h = np.uint32(h ^ (h >> np.uint32(15)))
    return np.uint32(h | np.uint32(1))


@inlined
def _next(state: Any) -> Any:
    """The next state of a 32-bit xorshift generator (Marsaglia 2003)."""
    state = np.uint32(state ^ (state << np.uint32(13)))
    state = np.uint32(state ^ (state >> np.uint32(17)))
    return np.uint32(state ^ (state << np.uint32(5)))


@inlined
def _distance(
    features: Any, stride: Any, a: Any, b: Any, side: Any, length: Any, bound: Any
) -> Any:
    """Sum of squared differences of the patches at flat positions a and b, given up at `bound`.

    Unsigned flat indices: with signed ones numba tests for negative ones and LLVM cannot use
    vector instructions.
    """
    total = np.int32(0)
    for _ in range(side):
        row = np.int32(0)
        for k in range(length):
            d = np.int32(
                np.int16(features[np.uint64(a + k)]) - np.int16(features[np.uint64(b + k)])
            )
            row = np.int32(row + d * d)
        total = np.int32(total + row)
        if total >= bound:
            break
        a += stride
        b += stride
    return total


@inlined
def _cost(
    features: Any, penalty: Any, shape: Any, y: Any, x: Any, sy: Any, sx: Any, bound: Any
) -> Any:
    """What matching the target at (y, x) with the source at (sy, sx) costs; exact below `bound`.

    `shape` is stride, channels and side of the patches.
    """
    extra = penalty[sy, sx]
    if extra >= bound:
        return bound
    stride, channels, side = shape
    a, b = y * stride + x * channels, sy * stride + sx * channels
    distance = _distance(features, stride, a, b, side, side * channels, bound - extra)
    return np.int32(distance + extra)


@compiled()
def measure(start: int, stop: int, patches: Patches, field: Field) -> None:
    """Measure the cost of every match of the field anew, after the features changed."""
    features, penalty, shape = patches.features, patches.penalty, patches.shape
    ys, xs = patches.ys, patches.xs
    field_y, field_x, field_cost = field
    for i in range(start, stop):
        y, x = ys[i], xs[i]
        field_cost[y, x] = _cost(
            features, penalty, shape, y, x, field_y[y, x], field_x[y, x], NEVER
        )


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

    Inside a block the pass is sequential, forward or backward, so that a good match runs through
    the block at once; over a block's edge it reads the field as it was before the pass (`old`).
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

            # propagation from the two neighbors already visited
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
                sy = top + np.int64(state % np.uint32(bottom - top + 1))
                state = _next(state)
                sx = left + np.int64(state % np.uint32(right - left + 1))
                cost = _cost(features, penalty, shape, y, x, sy, sx, best)
                if cost < best:
                    best, best_y, best_x = cost, sy, sx
                reach //= 2

            field_y[y, x], field_x[y, x], field_cost[y, x] = best_y, best_x, best


@compiled()
def try_offsets(
    start: int, stop: int, patches: Patches, field: Field, offset_y: Any, offset_x: Any
) -> None:
    """Offer each target the sources at some offsets, such as those that many others found."""
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


@compiled(fastmath=True)
def vote(
    start: int,
    stop: int,
    material: Material,
    field: Field,
    least: Any,
    ys: Any,
    xs: Any,
    side: int,
    sharpness: Any,
    floor: Any,
    doubt: Any,
    out: Any,
    from_y: Any,
    from_x: Any,
) -> None:
    """Each hole pixel becomes what the patches that cover it propose.

    The weighted mean of all proposals lays out color and structure but blurs; so only the smooth
    part of the material is averaged, and the detail, ``image - smooth``, comes from the best match
    alone, the less the more its color differs from the mean (`doubt`). `least` holds the least
    cost of the patches that cover each pixel: weights fall with
    ``(cost - least) / (least + floor) * sharpness``.
    """
    field_y, field_x, field_cost = field
    image, smooth, usable = material
    height, width = usable.shape
    radius = side // 2
    for i in range(start, stop):
        y, x = ys[i], xs[i]
        slope = sharpness / (np.float32(least[y, x]) + floor)
        best, best_y, best_x = NEVER, -1, -1
        weights = np.float32(0)
        red, green, blue = np.float32(0), np.float32(0), np.float32(0)
        for cy in range(max(y - radius, 0), min(y + radius + 1, height)):
            for cx in range(max(x - radius, 0), min(x + radius + 1, width)):
                sy, sx = field_y[cy, cx] + y - cy, field_x[cy, cx] + x - cx
                if sy < 0 or sx < 0 or sy >= height or sx >= width:
                    continue
                if not usable[sy, sx]:
                    continue
                if field_cost[cy, cx] < best:
                    best, best_y, best_x = field_cost[cy, cx], sy, sx
                u = (np.float32(field_cost[cy, cx]) - np.float32(least[y, x])) * slope
                weight = np.float32(1) / (np.float32(1) + u + u * u)
                weights += weight
                red += weight * smooth[sy, sx, 0]
                green += weight * smooth[sy, sx, 1]
                blue += weight * smooth[sy, sx, 2]
        if best_y < 0:
            continue
        red, green, blue = red / weights, green / weights, blue / weights
        # detail of a match that the others contradict would be a speckle
        apart = (smooth[best_y, best_x, 0] - red) ** 2
        apart += (smooth[best_y, best_x, 1] - green) ** 2
        apart += (smooth[best_y, best_x, 2] - blue) ** 2
        apart *= doubt
        trust = np.float32(1) / (np.float32(1) + apart * apart)
        red += trust * (image[best_y, best_x, 0] - smooth[best_y, best_x, 0])
        green += trust * (image[best_y, best_x, 1] - smooth[best_y, best_x, 1])
        blue += trust * (image[best_y, best_x, 2] - smooth[best_y, best_x, 2])
        out[y, x, 0] = min(max(red, np.float32(0)), np.float32(1))
        out[y, x, 1] = min(max(green, np.float32(0)), np.float32(1))
        out[y, x, 2] = min(max(blue, np.float32(0)), np.float32(1))
        from_y[y, x], from_x[y, x] = best_y, best_x
