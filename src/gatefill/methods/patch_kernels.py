"""The inner loops of PatchMatch, compiled by numba and run in parallel over the hole.

Words: a *field* gives for every *target* patch (one that touches the hole) the centre of its most
similar *source* patch and the cost of that match. Features are uint8: what two patches are
compared by, such as colour and texture. They stand flat in memory, rows padded by the patch radius
on all sides, so that a patch's centre in the image is its corner in the features.

All kernels give the same result for any number of threads: what runs in parallel never reads what
another thread writes, and random numbers depend on position, seed and pass only.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange

BLOCK = 32  # side of the blocks that are searched in parallel, pixels
FORBIDDEN = np.int32(2**30)  # cost of a source that may not be used


@njit(inline="always")
def _mix(position, salt):  # type: ignore[no-untyped-def]
    """A 32-bit hash, never 0: where a random sequence starts."""
    h = np.uint32(position) * np.uint32(0x9E3779B1) ^ np.uint32(salt) * np.uint32(0x85EBCA77)
    h = np.uint32(h ^ (h >> np.uint32(16)))
    h = np.uint32(h * np.uint32(0x7FEB352D))
    h = np.uint32(h ^ (h >> np.uint32(15)))
    return np.uint32(h | np.uint32(1))


@njit(inline="always")
def _next(state):  # type: ignore[no-untyped-def]
    """The next state of a 32-bit xorshift generator (Marsaglia 2003)."""
    state = np.uint32(state ^ (state << np.uint32(13)))
    state = np.uint32(state ^ (state >> np.uint32(17)))
    return np.uint32(state ^ (state << np.uint32(5)))


@njit(inline="always")
def _distance(features, stride, a, b, rows, length, bound):  # type: ignore[no-untyped-def]
    """Sum of squared differences of the patches at flat positions a and b, given up at `bound`.

    Unsigned flat indices: with signed ones numba tests for negative ones and LLVM cannot use
    vector instructions.
    """
    total = np.int32(0)
    for _ in range(rows):
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


@njit(parallel=True, cache=True)
def measure(features, stride, channels, side, ys, xs, penalty, field_y, field_x, cost):  # type: ignore[no-untyped-def]
    """Measure the cost of every match of the field anew, after the features changed."""
    length = side * channels
    for i in prange(ys.size):
        y, x = ys[i], xs[i]
        sy, sx = field_y[y, x], field_x[y, x]
        a = y * stride + x * channels
        b = sy * stride + sx * channels
        d = _distance(features, stride, a, b, side, length, FORBIDDEN)
        cost[y, x] = d + penalty[sy, sx]


@njit(parallel=True, cache=True)
def scatter(features, stride, channels, side, ys, xs, source_y, source_x, penalty, field_y, field_x, cost, tries, seed):  # type: ignore[no-untyped-def]  # fmt: skip
    """Give every target the best of some sources drawn at random from a list."""
    length = side * channels
    for i in prange(ys.size):
        y, x = ys[i], xs[i]
        a = y * stride + x * channels
        state = _mix(i, seed)
        best = np.int32(2**31 - 1)
        for _ in range(tries):
            state = _next(state)
            k = np.int64(state % np.uint32(source_y.size))
            sy, sx = source_y[k], source_x[k]
            b = sy * stride + sx * channels
            d = _distance(features, stride, a, b, side, length, best) + penalty[sy, sx]
            if d < best:
                best = d
                field_y[y, x], field_x[y, x] = sy, sx
        cost[y, x] = best


@njit(parallel=True, cache=True)
def sweep(features, stride, channels, side, ys, xs, block_start, targets, penalty, field_y, field_x, cost, old_y, old_x, forward, radius, seed):  # type: ignore[no-untyped-def]  # fmt: skip
    """One pass of propagation and random search (Barnes et al. 2009, section 3.2).

    Inside a block the pass is sequential, forward or backward, so that a good match runs through
    the block at once; over a block's edge it reads the field as it was before the pass.
    """
    height, width = targets.shape
    length = side * channels
    step = -1 if forward else 1
    for block in prange(block_start.size - 1):
        first, last = block_start[block], block_start[block + 1]
        block_y, block_x = ys[first] // BLOCK, xs[first] // BLOCK
        for j in range(last - first):
            i = first + j if forward else last - 1 - j
            y, x = ys[i], xs[i]
            a = y * stride + x * channels
            best, best_y, best_x = cost[y, x], field_y[y, x], field_x[y, x]

            # propagation from the two neighbours already visited
            for which in range(2):
                ny = y + step if which == 0 else y
                nx = x if which == 0 else x + step
                if ny < 0 or nx < 0 or ny >= height or nx >= width or not targets[ny, nx]:
                    continue
                if ny // BLOCK == block_y and nx // BLOCK == block_x:
                    sy, sx = field_y[ny, nx], field_x[ny, nx]
                else:
                    sy, sx = old_y[ny, nx], old_x[ny, nx]
                sy += y - ny
                sx += x - nx
                if sy < 0 or sx < 0 or sy >= height or sx >= width:
                    continue
                extra = penalty[sy, sx]
                if extra >= best or (sy == best_y and sx == best_x):
                    continue
                b = sy * stride + sx * channels
                d = _distance(features, stride, a, b, side, length, best - extra) + extra
                if d < best:
                    best, best_y, best_x = d, sy, sx

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
                reach //= 2
                extra = penalty[sy, sx]
                if extra >= best:
                    continue
                b = sy * stride + sx * channels
                d = _distance(features, stride, a, b, side, length, best - extra) + extra
                if d < best:
                    best, best_y, best_x = d, sy, sx

            field_y[y, x], field_x[y, x], cost[y, x] = best_y, best_x, best


@njit(parallel=True, cache=True)
def try_offsets(features, stride, channels, side, ys, xs, offset_y, offset_x, penalty, field_y, field_x, cost):  # type: ignore[no-untyped-def]  # fmt: skip
    """Offer each target the sources at some offsets, such as those that many others found."""
    height, width = penalty.shape
    length = side * channels
    for i in prange(ys.size):
        y, x = ys[i], xs[i]
        a = y * stride + x * channels
        for k in range(offset_y.size):
            sy, sx = y + offset_y[k], x + offset_x[k]
            if sy < 0 or sx < 0 or sy >= height or sx >= width:
                continue
            best = cost[y, x]
            extra = penalty[sy, sx]
            if extra >= best or (sy == field_y[y, x] and sx == field_x[y, x]):
                continue
            b = sy * stride + sx * channels
            d = _distance(features, stride, a, b, side, length, best - extra) + extra
            if d < best:
                field_y[y, x], field_x[y, x], cost[y, x] = sy, sx, d


@njit(parallel=True, cache=True, fastmath=True)
def vote(image, smooth, usable, side, ys, xs, targets, field_y, field_x, cost, least, scale, floor, split, out, from_y, from_x):  # type: ignore[no-untyped-def]  # fmt: skip
    """Each hole pixel becomes what the patches that cover it propose.

    The weighted mean of all proposals lays out colour and structure but blurs; so with `split`
    only the smooth part of the image is averaged and the detail, ``image - smooth``, comes from
    the best match alone. `least` holds the least cost of the patches that cover each pixel:
    weights fall with ``(cost - least) / (least + floor) * scale``.
    """
    height, width = targets.shape
    radius = side // 2
    for i in prange(ys.size):
        y, x = ys[i], xs[i]
        slope = scale / (np.float32(least[y, x]) + floor)
        best, best_y, best_x = np.int32(2**31 - 1), -1, -1
        weights = red = green = blue = np.float32(0)
        for cy in range(max(y - radius, 0), min(y + radius + 1, height)):
            for cx in range(max(x - radius, 0), min(x + radius + 1, width)):
                if not targets[cy, cx]:
                    continue
                sy, sx = field_y[cy, cx] + y - cy, field_x[cy, cx] + x - cx
                if sy < 0 or sx < 0 or sy >= height or sx >= width or not usable[sy, sx]:
                    continue
                if cost[cy, cx] < best:
                    best, best_y, best_x = cost[cy, cx], sy, sx
                u = np.float32(cost[cy, cx] - least[y, x]) * slope
                weight = np.float32(1) / (np.float32(1) + u + u * u)
                weights += weight
                red += weight * smooth[sy, sx, 0]
                green += weight * smooth[sy, sx, 1]
                blue += weight * smooth[sy, sx, 2]
        if best_y < 0:
            continue
        red, green, blue = red / weights, green / weights, blue / weights
        if split:
            red += image[best_y, best_x, 0] - smooth[best_y, best_x, 0]
            green += image[best_y, best_x, 1] - smooth[best_y, best_x, 1]
            blue += image[best_y, best_x, 2] - smooth[best_y, best_x, 2]
        out[y, x, 0] = min(max(red, np.float32(0)), np.float32(1))
        out[y, x, 1] = min(max(green, np.float32(0)), np.float32(1))
        out[y, x, 2] = min(max(blue, np.float32(0)), np.float32(1))
        from_y[y, x], from_x[y, x] = best_y, best_x
