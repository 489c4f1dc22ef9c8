"""The distance of two patches, as vector instructions give it."""

import numpy as np
import pytest

from gatefill.compiling import compiled
from gatefill.methods.patchmatch.distance import MARGIN, squared_distance


@compiled()
def _distances(features, stride, starts, side, length, bound, out):
    for i in range(out.size):
        first, second = starts[i, 0], starts[i, 1]
        out[i] = squared_distance(features, stride, first, second, side, length, bound)


SIDES = [(1, 1), (3, 15), (3, 16), (3, 17), (9, 31), (9, 32), (7, 49), (2, 100)]


@pytest.mark.parametrize(("side", "length"), SIDES)
def test_it_is_the_sum_of_squares_whatever_the_length_of_a_row(side: int, length: int) -> None:
    dice = np.random.default_rng(length)
    stride = length + 5
    plane = dice.choice(np.array([0, 255, 3, 100], np.uint8), (4 * side, stride))
    # What is after the last patch may be anything.
    flat = np.concatenate([plane.reshape(-1), np.full(MARGIN, 7, np.uint8)])
    rows = dice.integers(0, 3 * side + 1, (50, 2))
    columns = dice.integers(0, stride - length + 1, (50, 2))
    rows[0], columns[0] = (0, 3 * side), (0, stride - length)  # the last patch there is
    pairs = [
        [plane[y : y + side, x : x + length].astype(np.int64) for y, x in zip(*place, strict=True)]
        for place in zip(rows, columns, strict=True)
    ]
    wanted = np.array([((first - second) ** 2).sum() for first, second in pairs])
    starts, found = rows * stride + columns, np.zeros(50, np.int32)
    _distances(flat, stride, starts, side, length, np.int32(2**31 - 1), found)
    np.testing.assert_array_equal(found, wanted)

    bound = np.int32(np.median(wanted))
    _distances(flat, stride, starts, side, length, bound, found)
    below = wanted < bound
    np.testing.assert_array_equal(found[below], wanted[below])
    assert (found[~below] >= bound).all()


def test_from_python_it_cannot_be_called() -> None:
    with pytest.raises(TypeError, match="squared_distance"):
        squared_distance(np.zeros(9, np.uint8), 3, 0, 0, 3, 3, 1)
