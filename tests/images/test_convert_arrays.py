"""Arrays and tensors of every shape and dtype: taken as they are meant, or refused with a code."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from gatefill.images import ImageError, read_photo
from tests.images.helpers import noise, pil_file


@pytest.mark.parametrize("channels", [0, 1, 3, 4])
@pytest.mark.parametrize("batch", [False, True])
def test_tensors_are_taken_like_arrays(channels: int, batch: bool) -> None:
    torch = pytest.importorskip("torch")
    array = noise(6, 7, channels or 1)
    if channels:
        given = np.moveaxis(array, -1, 0)[None] if batch else np.moveaxis(array, -1, 0)
    else:
        given = array[None, None, ..., 0] if batch else array[..., 0]
    photo, wanted = read_photo(torch.tensor(given.copy())), read_photo(array)
    assert photo.pixels.tolist() == wanted.pixels.tolist()
    assert (photo.alpha is None) == (channels < 4)
    if photo.alpha is not None:
        assert photo.alpha.tolist() == array[..., 3].tolist()


@pytest.mark.parametrize(
    "shape", [(0, 3, 5, 5), (2, 3, 5, 5), (5, 3, 5), (0, 5, 5), (2, 2, 2), (3, 3, 3, 3)]
)
def test_tensors_of_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    torch = pytest.importorskip("torch")
    with pytest.raises(ImageError, match=r"expected a tensor HW, CHW or 1CHW") as found:
        read_photo(torch.zeros(shape))
    assert (found.value.code, found.value.values) == ("image.shape", {"shape": list(shape)})


@pytest.mark.parametrize("kind", ["sparse", "meta", "negative"])
def test_tensors_that_numpy_cannot_take_are_refused(kind: str) -> None:
    torch = pytest.importorskip("torch")
    tensor = {
        "sparse": lambda: torch.eye(4).to_sparse(),
        "meta": lambda: torch.zeros(4, 4, device="meta"),
        "negative": lambda: torch.zeros(4, 4, dtype=torch.complex64).conj().imag,
    }[kind]()
    with pytest.raises(ImageError, match="the tensor cannot be read") as found:
        read_photo(tensor)
    assert found.value.code == "image.tensor"


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.int64, bool])
@pytest.mark.parametrize("shape", [(0, 5), (5, 0), (0, 5, 3), (0, 0, 4)])
def test_arrays_without_a_pixel_are_refused(shape: tuple[int, ...], dtype: Any) -> None:
    with pytest.raises(ImageError, match=r".+: expected at least one pixel") as found:
        read_photo(np.zeros(shape, dtype))
    assert found.value.code == "image.empty"


@pytest.mark.parametrize(
    ("shape", "size"),
    [
        *(((5, 6), (6, 5)), ((5, 6, 1), (6, 5)), ((5, 6, 4), (6, 5)), ((1, 5, 6), (6, 5))),
        *(((4, 5, 6), (6, 5)), ((3, 5, 2), (5, 3)), ((1, 1, 5, 6, 3), (6, 5)), ((1, 1, 1), (1, 1))),
        *(((2, 5, 6), None), ((5, 5, 6), None), ((5,), None), ((2, 5, 6, 3), None)),
        *(((0, 5, 6, 3), None), ((5, 6, 0), None), ((5, 6, 5), None)),
    ],
)
def test_where_the_channels_of_an_array_are(
    shape: tuple[int, ...], size: tuple[int, int] | None
) -> None:
    array = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
    if size:
        assert read_photo(array).size == size
    else:
        with pytest.raises(ImageError, match="expected an array HW") as found:
            read_photo(array)
        assert found.value.values == {"shape": list(shape)}


@pytest.mark.parametrize("channels", [2, 4])
def test_the_last_of_an_even_number_of_channels_is_alpha(channels: int) -> None:
    array = noise(5, 6, channels)
    photo = read_photo(array)
    assert photo.alpha is not None
    assert photo.alpha.tolist() == array[..., -1].tolist()
    assert photo.pixels.tolist() == array[..., :-1].tolist()


def test_true_is_white() -> None:
    for shape in ((1, 4), (1, 4, 1), (4, 1, 1)):
        photo = read_photo(np.array([False, True, True, False]).reshape(shape))
        assert photo.pixels.dtype == np.uint8
        assert photo.pixels.ravel().tolist() == [0, 255, 255, 0]


def test_floats_get_8_bits_unless_a_file_holds_them() -> None:
    array = np.array([[0, 0.5, 1]], np.float32)
    assert read_photo(array).pixels.dtype == np.uint8
    for deep in (Image.fromarray(array), pil_file(Image.fromarray(array), "TIFF")):
        photo = read_photo(deep)
        assert photo.pixels.dtype == np.uint16
        assert photo.pixels.ravel().tolist() == [0, 32768, 65535]


def test_dark_integers_of_a_file_stay_deep() -> None:
    array = np.array([[0, 200, 255]], np.int32)
    assert read_photo(Image.fromarray(array)).pixels.dtype == np.uint8
    opened = Image.open(io.BytesIO(pil_file(Image.fromarray(array), "TIFF")))
    photo = read_photo(opened)
    assert photo.pixels.dtype == np.uint16
    assert photo.pixels.ravel().tolist() == [0, 200, 255]


@pytest.mark.parametrize("dtype", ["complex64", "object", "datetime64[s]", "timedelta64[s]", "V2"])
def test_dtypes_that_hold_no_pixels_are_refused(dtype: str) -> None:
    with pytest.raises(ImageError, match="expected 8 or 16 bits per channel or float") as found:
        read_photo(np.zeros((2, 3), dtype))
    assert found.value.code == "image.dtype"


@pytest.mark.parametrize(
    ("low", "high", "bits"),
    [
        *((0, 255, 8), (0, 256, 16), (1, 65534, 16), (0, 65535, 16)),
        *((0, 65536, 0), (-1, 255, 0), (-1, 65536, 0), (-(2**40), 2**40, 0)),
    ],
)
def test_the_range_of_wide_integers(low: int, high: int, bits: int) -> None:
    array = np.array([[low, 7, high]], np.int64)
    if bits:
        photo = read_photo(array)
        assert photo.pixels.dtype == f"uint{bits}"
        assert photo.pixels[..., 0].tolist() == array.tolist()
    else:
        with pytest.raises(ImageError, match=f"got int64 from {low} to {high}") as found:
            read_photo(array)
        assert (found.value.code, found.value.values) == (
            "image.range",
            {"low": low, "high": high},
        )


@pytest.mark.parametrize("order", ["<", ">"])
def test_the_byte_order_of_an_array_does_not_matter(order: str) -> None:
    values = noise(3, 4, 3, np.uint16)
    photo = read_photo(values.astype(f"{order}u2"))
    assert photo.pixels.dtype == np.dtype(np.uint16)
    assert photo.pixels.dtype.isnative
    assert photo.pixels.tolist() == values.tolist()


@pytest.mark.parametrize(("beyond", "fits"), [(2.0**-7, True), (2.0**-7 + 2.0**-12, False)])
@pytest.mark.parametrize("side", ["below", "above"])
def test_how_far_floats_may_be_out_of_range(side: str, beyond: float, fits: bool) -> None:
    value = -beyond if side == "below" else 1 + beyond
    array = np.array([[0.25, value]], np.float32)
    if fits:
        assert read_photo(array).pixels.ravel().tolist() == [64, 0 if side == "below" else 255]
    else:
        with pytest.raises(ImageError, match=r"float values in \[0, 1\]") as found:
            read_photo(array)
        expected = (value, 0.25) if side == "below" else (0.25, value)
        assert found.value.values == dict(zip(("low", "high"), map(repr, expected), strict=True))
