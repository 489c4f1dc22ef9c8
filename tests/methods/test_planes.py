"""PatchMatch's whole-frame passes beside those of `pyramid` that they stand for."""

import numpy as np
import pytest

from gatefill.methods import pyramid
from gatefill.methods.patchmatch import planes
from gatefill.parallel import Threads

SIZES = [(64, 80), (65, 83), (97, 41), (1, 9), (2, 3), (5, 1), (7, 4)]


@pytest.fixture(params=[1, 2])
def threads(request):
    with Threads(request.param) as pool:
        yield pool


def photo(height: int, width: int, channels: int = 3):
    """A picture that is 0 where it is not known, and what is known."""
    dice = np.random.default_rng(height)
    known = dice.random((height, width)) < 0.8
    known[height // 4 : height // 2, width // 4 : width // 2] = False
    image = dice.random((height, width, channels), dtype=np.float32)
    return image * known[..., None], known


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("height", "width"), SIZES)
def test_halving_gives_what_the_pyramid_gives(height, width, channels, threads) -> None:
    image, known = photo(height, width, channels)
    found, wanted = planes.halve(image, known, threads), pyramid.halve(image, known)
    for mine, other in zip(found, wanted, strict=True):
        assert mine.dtype == other.dtype
        np.testing.assert_allclose(mine, other, atol=1e-6)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("height", "width"), SIZES)
def test_unknown_pixels_are_filled_as_the_pyramid_fills_them(
    height, width, channels, threads
) -> None:
    image, known = photo(height, width, channels)
    wanted = pyramid.pull_push(image, known)
    np.testing.assert_allclose(planes.pull_push(image, known, threads), wanted, atol=1e-5)
    nothing = np.zeros_like(known)
    assert (planes.pull_push(np.zeros_like(image), nothing, threads) == 0.5).all()


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_texture_is_what_the_pyramid_measures(height, width, threads) -> None:
    image, known = photo(height, width)
    wanted = pyramid.texture_energy(image, known)
    np.testing.assert_allclose(planes.texture_energy(image, known, threads), wanted, atol=1e-5)


def test_bytes_are_rounded_and_bounded(threads) -> None:
    plane = np.linspace(-0.1, 1.2, 64 * 50 * 2, dtype=np.float32).reshape(64, 50, 2)
    out = np.full((64, 50, 4), 7, np.uint8)
    planes.put_bytes(plane, 0.8, out, 1, threads)
    wanted = np.clip(np.floor(plane * np.float32(0.8) * 255 + 0.5), 0, 255)
    assert np.abs(out[..., 1:3] - wanted).max() <= 1  # a half may go either way
    assert (out[..., 1:3] == wanted).mean() > 0.99
    assert (out[..., [0, 3]] == 7).all()
