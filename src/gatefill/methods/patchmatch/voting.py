"""The inner loops of voting: each hole pixel is computed from the patches that cover it.

The colors of votes are stored flat, four values per pixel: the smooth color, and 1 if the pixel is
usable; all 0 elsewhere. Rows are padded by the patch radius on all sides with zeros. No vote has to
be checked therefore: one from outside or from an unusable pixel has no weight.

See `kernels` for the rules of all kernels.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gatefill.compiling import Bundle, compiled, inlined
from gatefill.methods.patchmatch.kernels import NEVER, Field
from gatefill.methods.patchmatch.weighted import MARGIN, weighted_row

FAR = np.float32(1e19)  # larger than any cost; its square does not overflow
DULL = np.float32(1e-9)  # sharpness at which all votes weigh the same, except those of cost FAR


class _Material(NamedTuple):
    image: NDArray[np.float32]  # HW3
    smooth: NDArray[np.float32]  # flat: the image without detail, and whether it is usable


class Material(Bundle, _Material):
    """The pixels that votes take colors from."""


class _Proposals(NamedTuple):
    cost: NDArray[np.float32]  # `FAR` without a target
    shift: NDArray[np.int32]  # from the center of a patch to that of its match, in padded pixels
    least: NDArray[np.float32]  # smallest cost in the row of a patch around each pixel


class Proposals(Bundle, _Proposals):
    """A field in the layout for voting: flat, pixels ``HW`` in scan order, and a margin."""

    @classmethod
    def none(cls, pixels: int) -> Proposals:
        """Return proposals of no target."""
        size = pixels + MARGIN
        far = np.full(size, FAR, np.float32)
        return cls(far, np.zeros(size, np.int32), far.copy())


@inlined
def _column(image: Any, known: Any, above: Any, y: Any, below: Any, x: Any) -> Any:
    """Return the sum of the known ones of three pixels, and their number."""
    first, second, third = known[above, x], known[y, x], known[below, x]
    a, b, c = np.float32(first), np.float32(second), np.float32(third)
    return (
        a * image[above, x, 0] + b * image[y, x, 0] + c * image[below, x, 0],
        a * image[above, x, 1] + b * image[y, x, 1] + c * image[below, x, 1],
        a * image[above, x, 2] + b * image[y, x, 2] + c * image[below, x, 2],
        a + b + c,
    )


@compiled(fastmath=True)
def smooth_rows(
    start: int, stop: int, image: Any, known: Any, usable: Any, radius: int, smooth: Any
) -> None:
    """Compute rows of a `Material`: the mean of known pixels in each 3x3 neighborhood.

    At the border, the last pixels count twice. smooth: 0 before.
    """
    height, width = usable.shape
    for y in range(start, stop):
        above, below = max(y - 1, 0), min(y + 1, height - 1)
        k = np.uint64(4 * ((y + radius) * (width + 2 * radius) + radius))
        left = here = _column(image, known, above, y, below, 0)
        for x in range(width):
            right = _column(image, known, above, y, below, min(x + 1, width - 1))
            use = np.float32(usable[y, x])
            share = use / max(left[3] + here[3] + right[3], np.float32(1e-5))
            smooth[k] = (left[0] + here[0] + right[0]) * share
            smooth[k + np.uint64(1)] = (left[1] + here[1] + right[1]) * share
            smooth[k + np.uint64(2)] = (left[2] + here[2] + right[2]) * share
            smooth[k + np.uint64(3)] = use
            k += np.uint64(4)
            left, here = here, right


@compiled()
def propose(
    start: int, stop: int, spans: Any, field: Field, side: int, proposals: Proposals
) -> None:
    """Compute rows of `Proposals`; spans: first and last column of the targets per row, ``H2``."""
    field_y, field_x, field_cost = field
    cost, shift, least = proposals
    radius = side // 2
    width, stride = field_cost.shape[1], field_cost.shape[1] + 2 * radius
    for y in range(start, stop):
        if spans[y, 0] == spans[y, 1]:
            continue
        left, right = max(spans[y, 0] - radius, 0), min(spans[y, 1] + radius, width)
        row = y * width
        for x in range(left, right):
            i = np.uint64(row + x)
            there = field_cost[y, x] != NEVER
            cost[i] = np.float32(field_cost[y, x]) if there else FAR
            least[i] = cost[i]
            away = (field_y[y, x] - y) * stride + field_x[y, x] - x
            shift[i] = away if there else 0
        for apart in range(1, radius + 1):
            for x in range(left, right - apart):
                i, j = np.uint64(row + x), np.uint64(row + x + apart)
                least[i] = min(least[i], cost[j])
            for x in range(left + apart, right):
                i, j = np.uint64(row + x), np.uint64(row + x - apart)
                least[i] = min(least[i], cost[j])


@compiled(fastmath=True)
def vote(
    start: int,
    stop: int,
    material: Material,
    field: Field,
    proposals: Proposals,
    ys: Any,
    xs: Any,
    side: int,
    sharpness: Any,
    floor: Any,
    doubt: Any,
    out: Any,
    features: Any,
    channels: int,
    from_y: Any,
    from_x: Any,
) -> None:
    """Set each hole pixel by the votes of the patches that cover it.

    The weighted mean of all votes gives color and structure, but blurs. Therefore only the smooth
    part of the material is averaged; detail, ``image - smooth``, comes from the best match alone,
    and is reduced where that match differs from the mean (`doubt`). Weights decrease with
    ``(cost - least) / (least + floor) * sharpness``, with the least cost of the patches that cover
    the pixel.

    out: ``HW3``. features: those of `Patches`, updated with the same colors; channels: their
        number,
    0 to leave them unchanged. from_y, from_x: ``HW``, set to the source of the detail.
    """
    image, smooth = material
    cost, shift, row_least = proposals
    height, width = field.cost.shape
    radius = side // 2
    stride = width + 2 * radius
    one = np.float32(1)
    for i in range(start, stop):
        y, x = ys[i], xs[i]
        top, bottom = max(y - radius, 0), min(y + radius + 1, height)
        left, right = max(x - radius, 0), min(x + radius + 1, width)
        least, best_y = FAR, top
        for cy in range(top, bottom):
            value = row_least[np.uint64(cy * width + x)]
            if value < least:
                least, best_y = value, cy
        place = np.int64(y + radius) * stride + x + radius
        gain = max(sharpness, DULL) / (least + floor)
        weights = np.float32(0)
        red, green, blue = np.float32(0), np.float32(0), np.float32(0)
        for cy in range(top, bottom):
            row = weighted_row(
                cost, shift, smooth, cy * width + left, right - left, place, least, gain
            )
            red, green, blue, weights = (
                red + row[0],
                green + row[1],
                blue + row[2],
                weights + row[3],
            )
        best = np.int64(-1)  # the first patch of least cost, if its pixel is usable
        for c in range(best_y * width + left, best_y * width + right):
            if cost[np.uint64(c)] == least:
                best = np.int64(c)
                break
        if best >= 0:
            best = _usable_place(smooth, place, shift, best)
        if best < 0:
            least = FAR
            for cy in range(top, bottom):
                for c in range(cy * width + left, cy * width + right):
                    if cost[np.uint64(c)] < least:
                        k = _usable_place(smooth, place, shift, c)
                        if k >= 0:
                            least, best = cost[np.uint64(c)], k
        if best < 0:
            continue
        red, green, blue = red / weights, green / weights, blue / weights
        # detail of a match that the other votes contradict would be a speckle
        k = np.uint64(4 * best)
        apart = (smooth[k] - red) ** 2
        apart += (smooth[k + np.uint64(1)] - green) ** 2
        apart += (smooth[k + np.uint64(2)] - blue) ** 2
        apart *= doubt
        trust = one / (one + apart * apart)
        best_y, best_x = best // stride - radius, best % stride - radius
        red += trust * (image[best_y, best_x, 0] - smooth[k])
        green += trust * (image[best_y, best_x, 1] - smooth[k + np.uint64(1)])
        blue += trust * (image[best_y, best_x, 2] - smooth[k + np.uint64(2)])
        red = min(max(red, np.float32(0)), one)
        green = min(max(green, np.float32(0)), one)
        blue = min(max(blue, np.float32(0)), one)
        out[y, x, 0], out[y, x, 1], out[y, x, 2] = red, green, blue
        if channels:
            k = np.uint64(place * channels)
            features[k] = np.uint8(red * 255 + np.float32(0.5))
            features[k + np.uint64(1)] = np.uint8(green * 255 + np.float32(0.5))
            features[k + np.uint64(2)] = np.uint8(blue * 255 + np.float32(0.5))
        from_y[y, x], from_x[y, x] = best_y, best_x


@inlined
def _usable_place(smooth: Any, place: Any, shift: Any, c: Any) -> Any:
    """Return where the patch at `c` would copy this pixel from; -1 if that is not usable."""
    k = np.int64(place + shift[np.uint64(c)])
    return k if smooth[np.uint64(4 * k + 3)] > 0 else np.int64(-1)
