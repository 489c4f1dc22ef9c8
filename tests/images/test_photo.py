"""From a photo's pixels to floats and back; known pixels never change."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatefill.geometry import Box
from gatefill.images import ImageError, Meta, Photo
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


@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 2), (4, 5, 4), (1, 4, 5, 3), (1, 4, 5, 1)])
def test_only_one_or_three_channels(shape: tuple[int, ...]) -> None:
    with pytest.raises(ImageError, match="expected uint8 or uint16") as found:
        Photo(np.zeros(shape, np.uint8))
    assert found.value.code == "image.array"
    if shape[2:] != (3,):
        photo = Photo(noise(4, 5, 3))
        with pytest.raises(ImageError, match="expected floats HW3"):
            photo.quantized(np.zeros(shape, np.float32))


@pytest.mark.parametrize("shape", [(5, 4), (4, 6), (4, 5, 1), (4,)])
def test_alpha_has_the_shape_of_the_pixels(shape: tuple[int, ...]) -> None:
    with pytest.raises(ImageError, match=r"expected alpha uint8 \(4, 5\), got uint8 \("):
        Photo(noise(4, 5, 3), np.zeros(shape, np.uint8))
    with pytest.raises(ImageError, match="expected alpha uint8"):
        Photo(noise(4, 5, 3), np.zeros((4, 5), np.uint16))
    assert Photo(noise(4, 5, 3), np.zeros((4, 5), np.uint8)).alpha is not None


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_alpha_that_becomes_opaque_everywhere_is_dropped(dtype: type) -> None:
    most = int(np.iinfo(dtype).max)
    alpha = np.full((3, 4), most, dtype)
    alpha[1] = most - 1
    photo = Photo(noise(3, 4, 3, dtype), alpha)
    hole = np.zeros((3, 4), bool)
    assert photo.replaced(photo.pixels, opaque=hole).alpha is not None
    hole[1, :3] = True
    part = photo.replaced(photo.pixels, opaque=hole).alpha
    assert part is not None
    assert part[1].tolist() == [most, most, most, most - 1]
    hole[1] = True
    assert photo.replaced(photo.pixels, opaque=hole).alpha is None
    assert Photo(photo.pixels).replaced(photo.pixels, opaque=hole).alpha is None


def test_what_a_file_does_not_hold_is_logged_and_returned(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    photo = Photo(noise(8, 8, 3, np.uint16))
    assert photo.save(tmp_path / "it.png") == ()
    photo.to_bytes("png")
    assert caplog.messages == []
    (said,) = photo.save(tmp_path / "it.bmp")
    assert said.code == "file.depth"
    assert photo.encoded("bmp").warnings == (said,)
    assert caplog.messages == [str(said)]
    photo.to_bytes("bmp")
    assert caplog.messages == [str(said)] * 2
    with pytest.raises(ImageError, match="exists"):
        photo.save(tmp_path / "it.bmp")
    assert photo.save(tmp_path / "it.bmp", overwrite=True) == (said,)


def test_photos_and_their_metadata_cannot_be_changed() -> None:
    photo = Photo(noise(4, 5, 3))
    for value, name in ((photo, "pixels"), (photo.meta, "name")):
        with pytest.raises(FrozenInstanceError):
            setattr(value, name, None)
    # Photos with the same pixels are different objects, and may be keys.
    assert photo != Photo(photo.pixels)
    assert {photo: 1}[photo] == 1
