"""From a photo's pixels to floats and back; known pixels never change."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatefill.geometry import Box
from gatefill.images import Meta, Photo
from gatefill.methods.base import composite
from tests.images.helpers import noise

depths = st.sampled_from([np.uint8, np.uint16])


@given(
    height=st.integers(1, 30),
    width=st.integers(1, 30),
    channels=st.sampled_from([1, 3]),
    dtype=depths,
    seed=st.integers(0, 99),
)
def test_floats_and_back_change_nothing(
    height: int, width: int, channels: int, dtype: type, seed: int
) -> None:
    photo = Photo(noise(height, width, channels, dtype, seed))
    rgb = photo.rgb()
    assert rgb.dtype == np.float32
    assert rgb.shape == (height, width, 3)
    assert (photo.quantized(rgb) == photo.pixels).all()


@given(channels=st.sampled_from([1, 3]), dtype=depths, seed=st.integers(0, 99))
def test_filling_a_box_keeps_known_pixels(channels: int, dtype: type, seed: int) -> None:
    photo = Photo(noise(20, 30, channels, dtype, seed))
    box = Box(3, 5, 17, 28)
    rng = np.random.default_rng(seed)
    mask = np.zeros(photo.shape, bool)
    mask[box.slices] = rng.random((14, 23)) < 0.5
    fill = rng.normal(0.5, 0.6, (14, 23, 3)).astype(np.float32)
    pixels = photo.pixels.copy()
    part = composite(photo.quantized(fill), photo.pixels[box.slices], mask[box.slices])  # type: ignore[arg-type]
    pixels[box.slices] = part
    filled = photo.replaced(pixels)
    assert filled.pixels.dtype == dtype
    assert (filled.pixels[~mask] == photo.pixels[~mask]).all()
    error = np.abs(filled.rgb(box) - np.clip(fill, 0, 1))[mask[box.slices]]
    if channels == 3:
        assert error.max() <= 0.5001 / photo.max_value


def test_a_box_is_the_same_part_of_the_whole() -> None:
    photo = Photo(noise(20, 30, 1))
    box = Box(2, 3, 9, 30)
    assert (photo.rgb(box) == photo.rgb()[box.slices]).all()


def test_clipping_and_rounding() -> None:
    photo = Photo(np.zeros((1, 4, 3), np.uint8))
    fill = np.array([-3, 0.501 / 255, 254.4 / 255, 9], np.float32)[None, :, None]
    assert photo.quantized(np.repeat(fill, 3, axis=2))[0, :, 0].tolist() == [0, 1, 254, 255]


def test_gray_photos_get_luma() -> None:
    photo = Photo(np.zeros((1, 3, 1), np.uint8))
    fill = np.eye(3, dtype=np.float32)[None]
    assert photo.quantized(fill)[0, :, 0].tolist() == [76, 150, 29]


def test_filled_places_become_opaque() -> None:
    alpha = np.full((4, 4), 255, np.uint8)
    alpha[1:3, 1:3] = 0
    alpha[0, 0] = 99
    photo = Photo(noise(4, 4, 3), alpha)
    hole = np.zeros((4, 4), bool)
    hole[1:3, 1:3] = True
    kept = photo.replaced(photo.pixels)
    assert kept.alpha is not None
    assert (kept.alpha == alpha).all()
    filled = photo.replaced(photo.pixels, opaque=hole)
    assert filled.alpha is not None
    assert filled.alpha[hole].min() == 255
    assert filled.alpha[0, 0] == 99
    hole[0, 0] = True
    assert photo.replaced(photo.pixels, opaque=hole).alpha is None


def test_shapes_that_do_not_fit_are_refused() -> None:
    photo = Photo(noise(4, 5, 3), meta=Meta(name="mine"))
    assert photo.shape == (photo.height, photo.width) == (4, 5)
    assert photo.size == photo.to_pil().size == (5, 4)
    with pytest.raises(ValueError, match="expected pixels"):
        photo.replaced(noise(5, 4, 3))
    with pytest.raises(ValueError, match="expected pixels"):
        photo.replaced(noise(4, 5, 3, np.uint16))
    with pytest.raises(ValueError, match="expected floats HW3"):
        photo.quantized(np.zeros((4, 5), np.float32))
    for pixels in (noise(4, 5, 4), np.zeros((4, 5, 3), np.float32), noise(4, 5, 1)[..., 0]):
        with pytest.raises(ValueError, match="expected uint8 or uint16"):
            Photo(pixels)
    with pytest.raises(ValueError, match="at least one pixel"):
        Photo(np.zeros((0, 5, 3), np.uint8))
    with pytest.raises(ValueError, match="expected alpha"):
        Photo(noise(4, 5, 3), noise(4, 5, 1, np.uint16)[..., 0])


def test_a_photo_says_what_it_is() -> None:
    assert repr(Photo(noise(4, 5, 1))) == "<Photo 5x4 gray, uint8>"
    deep = noise(4, 5, 4, np.uint16)
    assert repr(Photo(deep[..., :3], deep[..., 3])) == "<Photo 5x4 RGB with alpha, uint16>"
