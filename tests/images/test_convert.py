"""From arrays and tensors of every dtype to pixels: no value gets lost on the way."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image

from gatefill.images import ImageError, Photo, read_mask, read_photo
from tests.images.cases import case
from tests.images.helpers import noise, tiff_file

LEVELS = np.array([[0, 0.25, 0.5, 1.0]])


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("channels", [1, 3])
def test_floats_of_every_size_give_the_same(dtype: Any, channels: int) -> None:
    array = np.repeat(LEVELS[..., None], channels, axis=2).astype(dtype)
    assert (read_photo(array).pixels == read_photo(array.astype(np.float64)).pixels).all()
    assert read_photo(array).pixels[0, :, 0].tolist() == [0, 64, 128, 255]
    kind = "rgb" if channels == 3 else "minisblack"
    photo = read_photo(tiff_file(array, photometric=kind))
    assert photo.pixels[0, :, -1].tolist() == [0, 16384, 32768, 65535]


def test_the_half_float_tiff_that_came_out_black() -> None:
    row = read_photo(case("half-float-tiff", "half.tif")).pixels[0, [0, 8, 15], 0]
    assert row.tolist() == [16384, 32768, 65535]


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_alpha_and_zero_is_white_in_floats(dtype: Any) -> None:
    array = np.array([[[0.25, 0.5], [0.5, 0.5], [0.5, 0.0]]], dtype)
    straight = read_photo(tiff_file(array, photometric="minisblack", extrasamples=["assocalpha"]))
    assert straight.pixels[0, :2, 0].tolist() == [32768, 65535]
    assert straight.alpha is not None
    assert straight.alpha[0].tolist() == [32768, 32768, 0]
    white = read_photo(tiff_file(array[..., 0], photometric="miniswhite"))
    assert white.pixels[0, :, 0].tolist() == [49151, 32768, 32768]


@pytest.mark.parametrize("bits", [8, 32])
def test_zero_is_white_at_other_depths(bits: int) -> None:
    values = noise(6, 5, 1)[..., 0].astype(f"u{bits // 8}")
    stored = np.iinfo(values.dtype).max - values
    photo = read_photo(tiff_file(stored, photometric="miniswhite"))
    assert (photo.pixels[..., 0] == values).all()


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int32, np.int64, np.uint32, np.uint64])
def test_integers_of_0_to_255_are_8_bits(dtype: Any) -> None:
    values = noise(6, 5, 3) >> (1 if dtype == np.int8 else 0)
    photo = read_photo(values.astype(dtype))
    assert photo.pixels.dtype == np.uint8
    assert (photo.pixels == values).all()
    if np.dtype(dtype).itemsize == 4:
        assert (
            read_photo(tiff_file(values.astype(dtype), photometric="rgb")).pixels == values
        ).all()


def test_wider_integers_are_16_bits() -> None:
    values = noise(6, 5, 3, np.uint16)
    for dtype in (np.int32, np.int64, np.uint32):
        assert (read_photo(values.astype(dtype)).pixels == values).all()
    dark = np.full((6, 5), 200, np.uint16)  # 16 bits stay 16, however dark
    assert read_photo(dark).pixels.dtype == np.uint16
    assert read_photo(b"P5 2 1 65535\n" + bytes([0, 200, 0, 100])).pixels.dtype == np.uint16


def test_pil_images_of_integers_are_taken_like_the_arrays_they_were_made_of() -> None:
    values = noise(6, 5, 1)[..., 0].astype(np.int32)
    photo = read_photo(Image.fromarray(values))
    assert photo.pixels.dtype == np.uint8
    assert (photo.pixels[..., 0] == values).all()


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_an_ulp_beyond_the_range_is_rounding(dtype: Any) -> None:
    one, zero = np.nextafter(dtype(1), dtype(2)), np.nextafter(dtype(0), dtype(-1))
    array = np.array([[zero, one, 0.5]], dtype)
    assert read_photo(array).pixels[0, :, 0].tolist() == [0, 255, 128]
    mask = read_mask(array, Photo(noise(1, 3, 3)))
    assert mask.tolist() == [[False, True, False]]
    assert read_photo(tiff_file(array)).pixels[0, :2, 0].tolist() == [0, 65535]


def test_an_ulp_of_bfloat16_too() -> None:
    torch = pytest.importorskip("torch")
    tensor = torch.tensor([[1 + 2**-7, 0.0, 0.5]], dtype=torch.bfloat16)
    assert read_photo(tensor).pixels[0, :, 0].tolist() == [255, 0, 128]


@pytest.mark.parametrize("shape", [(3,), (1,), (2, 5, 5), (5, 5, 3), (2, 3, 5, 5), (1, 1, 3, 5, 5)])
def test_tensors_that_are_no_image_are_refused(shape: tuple[int, ...]) -> None:
    torch = pytest.importorskip("torch")
    with pytest.raises(ImageError, match=r"HW, CHW or 1CHW"):
        read_photo(torch.zeros(shape, dtype=torch.uint8))


@pytest.mark.parametrize("worst", [1.02, -0.02, np.inf, np.nan])
def test_what_is_really_out_of_range_is_refused(worst: float) -> None:
    for read in (read_photo, lambda array: read_mask(array, Photo(noise(1, 3, 3)))):
        with pytest.raises(ImageError, match=r"\[0, 1\], got") as found:
            read(np.array([[0.5, worst, 0.5]], np.float32))
        assert found.value.code == "image.range"
        assert "got 0 to 1;" not in str(found.value)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_channels_may_come_first_and_batches_hold_one(channels: int) -> None:
    array = noise(6, 7, channels)
    wanted = read_photo(array)
    first = np.moveaxis(array, -1, 0)
    for given in (first, first[None], array[None], first[None, None]):
        photo = read_photo(given)
        assert (photo.pixels == wanted.pixels).all()
        assert (photo.alpha is None) == (channels != 4)


def test_masks_of_one_channel_in_every_place() -> None:
    photo, mask = Photo(noise(6, 7, 3)), noise(6, 7, 1)[..., 0] > 127
    for given in (mask, mask[None], mask[..., None], mask[None, None], mask[None, ..., None]):
        assert (read_mask(given, photo) == mask).all()
        assert (read_mask(given.astype(np.float32), photo) == mask).all()
