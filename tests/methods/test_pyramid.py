"""Halving with unknown pixels, against the same written out pixel by pixel."""

from __future__ import annotations

import numpy as np
import pytest

from gatefill.methods.pyramid import halve, pull_push

KERNEL = np.array([1, 5, 10, 10, 5, 1]) / 32  # around two pixels, which become one


def literal(image: np.ndarray, known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mean of the known pixels under the kernel, and their part of it inside the image."""
    height, width, channels = image.shape
    small = np.zeros((-(-height // 2), -(-width // 2), channels))
    share = np.zeros(small.shape[:2])
    for y, x in np.ndindex(share.shape):
        total, inside = 0.0, 0.0
        for (row, column), weight in np.ndenumerate(np.outer(KERNEL, KERNEL)):
            top, left = 2 * y - 2 + row, 2 * x - 2 + column
            if 0 <= top < height and 0 <= left < width:
                inside += weight
                total += weight * known[top, left]
                small[y, x] += weight * known[top, left] * image[top, left]
        share[y, x] = total / inside
        small[y, x] /= max(total, 1e-9)
    return small, share


@pytest.mark.parametrize("shape", [(1, 1), (7, 10), (10, 7), (13, 13), (40, 3)])
@pytest.mark.parametrize("strip", [1 << 22, 1])
def test_halving_weighs_what_is_known(
    shape: tuple[int, int], strip: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gatefill.methods.pyramid.STRIP", strip)
    dice = np.random.default_rng(0)
    image = dice.random((*shape, 3), dtype=np.float32)
    known = dice.random(shape) < 0.7
    known[: shape[0] // 2, : shape[1] // 2] = False
    coarse, some, share = halve(image, known)
    small, expected = literal(image, known)
    np.testing.assert_allclose(share, expected, atol=1e-6)
    np.testing.assert_allclose(coarse[some], small[some], atol=1e-5)
    assert (coarse[~some] == 0).all()
    assert (expected[~some] <= 0.01 + 1e-6).all()


def test_pulling_and_pushing_keeps_what_is_known_and_fills_the_rest_smoothly() -> None:
    image = np.linspace(0, 1, 48, dtype=np.float32)[None, :, None].repeat(40, 0).repeat(3, 2)
    known = np.ones(image.shape[:2], bool)
    known[10:30, 12:32] = False
    spoiled = np.where(known[..., None], image, np.float32(9))
    filled = pull_push(spoiled, known)
    np.testing.assert_array_equal(filled[known], image[known])
    assert np.abs(filled - image)[~known].max() < 0.25
