"""Reading masks the way people make them."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageFilter

from gatefill.errors import ConfigError, MaskError
from gatefill.images import ImageError, Photo, read_mask, read_photo
from tests.images.helpers import cv_file, exif_block, noise, pil_file, tiff_file

HEIGHT, WIDTH = 24, 36
PHOTO = Photo(noise(HEIGHT, WIDTH, 3))
HOLE = np.zeros((HEIGHT, WIDTH), bool)
HOLE[4:15, 6:30] = True
HOLE[9:20, 10:14] = True


def white_on_black(hole: np.ndarray = HOLE) -> Image.Image:
    return Image.fromarray(np.where(hole, 255, 0).astype(np.uint8))


def drawing_in(mode: str) -> bytes:
    return pil_file(white_on_black().convert(mode), "PNG")


def drawing_in_alpha(color: tuple[int, int, int], beneath: tuple[int, int, int]) -> bytes:
    array = np.empty((HEIGHT, WIDTH, 4), np.uint8)
    array[..., :3] = np.where(HOLE[..., None], color, beneath)
    array[..., 3] = np.where(HOLE, 255, 0)
    return pil_file(Image.fromarray(array), "PNG")


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_white_on_black_in_every_mode(mode: str, format: str) -> None:
    mask = read_mask(pil_file(white_on_black().convert(mode), format), PHOTO)
    assert mask.dtype == np.bool_
    assert (mask == HOLE).all()


@pytest.mark.parametrize("format", ["BMP", "WEBP", "GIF", "PPM"])
def test_white_on_black_in_other_formats(format: str) -> None:
    assert (read_mask(pil_file(white_on_black(), format), PHOTO) == HOLE).all()


@pytest.mark.parametrize("color", [(255, 0, 0), (0, 0, 255), (255, 255, 0), (128, 0, 0)])
def test_a_colored_hole_on_black(color: tuple[int, int, int]) -> None:
    array = np.where(HOLE[..., None], color, 0).astype(np.uint8)
    assert (read_mask(pil_file(Image.fromarray(array), "PNG"), PHOTO) == HOLE).all()
    palette = Image.fromarray(HOLE.astype(np.uint8))
    palette.putpalette([0, 0, 0, *color])
    assert (read_mask(pil_file(palette, "PNG"), PHOTO) == HOLE).all()


@pytest.mark.parametrize("color", [(0, 0, 0), (255, 255, 255), (255, 0, 0), (60, 60, 60)])
@pytest.mark.parametrize("beneath", [(0, 0, 0), (255, 255, 255)])
def test_a_drawing_that_is_only_in_alpha(
    color: tuple[int, int, int], beneath: tuple[int, int, int]
) -> None:
    data = drawing_in_alpha(color, beneath)
    assert (read_mask(data, PHOTO) == HOLE).all()
    assert (read_mask(data, PHOTO, invert=True) == ~HOLE).all()


def test_alpha_with_soft_rims_is_cut_at_the_middle() -> None:
    alpha = Image.fromarray(np.where(HOLE, 255, 0).astype(np.uint8))
    alpha = alpha.filter(ImageFilter.GaussianBlur(1))
    image = Image.new("RGBA", (WIDTH, HEIGHT), (255, 0, 0, 0))
    image.putalpha(alpha)
    assert (read_mask(image, PHOTO) == (np.asarray(alpha) > 127)).all()


def test_black_and_white_that_also_has_transparency() -> None:
    array = np.dstack([np.where(HOLE, 255, 0)] * 3 + [np.full(HOLE.shape, 255)]).astype(np.uint8)
    array[:2] = 0  # transparent, outside the hole
    assert (read_mask(array, PHOTO) == HOLE).all()
    array[..., 3] = 255
    assert (read_mask(array, PHOTO) == HOLE).all()
    array[..., 3] = 0  # transparent everywhere: alpha says nothing
    assert (read_mask(array, PHOTO) == HOLE).all()


@pytest.mark.parametrize("quality", [10, 30, 75, 95])
def test_jpeg_masks_have_clean_rims(quality: int) -> None:
    hole = np.zeros((96, 128), bool)
    hole[20:61, 30:99] = True
    photo = Photo(noise(96, 128, 3))
    mask = read_mask(pil_file(white_on_black(hole), "JPEG", quality=quality), photo)
    wrong = np.argwhere(mask != hole)
    assert len(wrong) <= (40 if quality < 50 else 0)
    near = np.zeros_like(hole)
    near[18:63, 28:101] = True
    near[22:59, 32:97] = False
    assert near[tuple(wrong.T)].all()  # no specks elsewhere


def test_the_threshold_is_127() -> None:
    photo = Photo(noise(1, 4, 3))
    row = np.array([[0, 127, 128, 255]], np.uint8)
    expected = [[False, False, True, True]]
    assert read_mask(row, photo).tolist() == expected
    assert read_mask(pil_file(Image.fromarray(row), "PNG"), photo).tolist() == expected
    assert read_mask(row / 255, photo).tolist() == expected


def test_sixteen_bit_masks() -> None:
    for suffix in (".png", ".tif"):
        for channels in (1, 3):
            wide = np.repeat(np.where(HOLE, 65535, 0).astype(np.uint16)[..., None], channels, 2)
            assert (read_mask(cv_file(wide, suffix), PHOTO) == HOLE).all()
    # Half way between levels 127 and 128 of 255.
    row = np.array([[0, 127 * 257 + 128, 127 * 257 + 129, 65535]], np.uint16)
    expected = [[False, False, True, True]]
    assert read_mask(cv_file(row[..., None], ".png"), Photo(noise(1, 4, 3))).tolist() == expected
    narrow = np.where(HOLE, 255, 0).astype(np.uint16)  # 8-bit values in a 16-bit file
    assert (read_mask(tiff_file(narrow), PHOTO) == HOLE).all()
    assert (read_mask(tiff_file(HOLE.astype(np.float32)), PHOTO) == HOLE).all()


@pytest.mark.parametrize("dtype", [np.bool_, np.uint8, np.int64, np.int32, np.float32, np.float16])
def test_arrays_of_zeros_and_ones(dtype: type) -> None:
    for shape in ((HEIGHT, WIDTH), (HEIGHT, WIDTH, 1)):
        assert (read_mask(HOLE.astype(dtype).reshape(shape), PHOTO) == HOLE).all()
    assert (read_mask(pil_file(Image.fromarray(HOLE.astype(np.uint8)), "PNG"), PHOTO) == HOLE).all()


def test_tensors() -> None:
    torch = pytest.importorskip("torch")
    tensor = torch.from_numpy(HOLE)
    for given_ in (tensor, tensor[None], tensor[None, None], tensor.float(), tensor.byte() * 255):
        assert (read_mask(given_, PHOTO) == HOLE).all()


@pytest.mark.parametrize(
    "array",
    [
        np.full((HEIGHT, WIDTH), 255.0),
        np.full((HEIGHT, WIDTH), np.nan),
        np.full((HEIGHT, WIDTH), -1),
        np.full((HEIGHT, WIDTH), 1 << 20),
        np.full((HEIGHT, WIDTH), "x"),
        np.zeros((HEIGHT, WIDTH, 7)),
        np.zeros((0, WIDTH)),
    ],
)
def test_arrays_that_are_no_mask(array: np.ndarray) -> None:
    with pytest.raises((ImageError, MaskError), match="mask: expected"):
        read_mask(array, PHOTO)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_masks_are_turned_upright_like_photos(orientation: int) -> None:
    photo = read_photo(pil_file(white_on_black(), "JPEG", exif=exif_block(orientation)))
    mask = read_mask(pil_file(white_on_black(), "PNG", exif=exif_block(orientation)), photo)
    assert mask.shape == photo.shape
    assert (mask == (photo.pixels[..., 0] > 127)).mean() > 0.99


def test_invert_and_empty_and_full() -> None:
    assert (read_mask(white_on_black(), PHOTO, invert=True) == ~HOLE).all()
    nothing = np.zeros((HEIGHT, WIDTH), bool)
    assert not read_mask(nothing, PHOTO).any()
    assert not read_mask(nothing, PHOTO, grow=5).any()
    assert not read_mask(pil_file(Image.new("L", (WIDTH, HEIGHT), 1), "JPEG"), PHOTO).any()
    for mask, invert in ((~nothing, False), (nothing, True)):
        with pytest.raises(MaskError, match="covers the whole photo"):
            read_mask(mask, PHOTO, invert=invert)


@given(radius=st.integers(0, 12), seed=st.integers(0, 50), height=st.integers(1, 20))
def test_growing_is_a_disc(radius: int, seed: int, height: int) -> None:
    photo = Photo(np.zeros((height + 30, 40, 3), np.uint8))
    mask = np.random.default_rng(seed).random(photo.shape) < 0.003
    mask[0, 0] = True
    grown = read_mask(mask, photo, grow=radius)
    rows, columns = np.indices(photo.shape)
    expected = np.zeros_like(mask)
    for row, column in np.argwhere(mask):
        expected |= (rows - row) ** 2 + (columns - column) ** 2 <= radius**2
    assert (grown == expected).all()


def test_growing_over_everything_and_backwards() -> None:
    with pytest.raises(MaskError, match="covers the whole photo"):
        read_mask(HOLE, PHOTO, grow=100)
    with pytest.raises(ConfigError, match="0 pixels or more, got -1"):
        read_mask(HOLE, PHOTO, grow=-1)


@pytest.mark.parametrize("option", ["grow", "threshold", "max_pixels"])
@pytest.mark.parametrize("value", ["3", 1.5, True])
def test_numbers_of_another_kind_are_refused_by_name(option: str, value: object) -> None:
    with pytest.raises(ConfigError, match=f"expected {option} as a whole number"):
        read_mask(HOLE, PHOTO, **{option: value})


def test_another_size_is_an_error_unless_allowed() -> None:
    mask = Image.fromarray(np.kron(HOLE, np.ones((2, 2), bool)))
    with pytest.raises(MaskError, match=r"72 x 48 .* 36 x 24.*resize_mask"):
        read_mask(mask, PHOTO)
    assert (read_mask(mask, PHOTO, resize=True) == HOLE).all()
    small = HOLE[::2, ::2]
    assert (read_mask(small, PHOTO, resize=True) == np.kron(small, np.ones((2, 2)))).all()


@given(st.integers(1, 30), st.integers(1, 30), st.integers(1, 30), st.integers(1, 30))
def test_resizing_takes_the_nearest(height: int, width: int, rows: int, columns: int) -> None:
    mask = noise(rows, columns, 1)[..., 0] > 127
    photo = Photo(np.zeros((height, width, 1), np.uint8))
    near_rows = ((np.arange(height) + 0.5) * rows / height + 1e-9).astype(int)
    near_columns = ((np.arange(width) + 0.5) * columns / width + 1e-9).astype(int)
    expected = mask[near_rows][:, near_columns]
    if expected.all():
        with pytest.raises(MaskError, match="covers the whole photo"):
            read_mask(mask, photo, resize=True)
    else:
        assert (read_mask(mask, photo, resize=True) == expected).all()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_the_photos_own_alpha(dtype: type) -> None:
    top = np.iinfo(dtype).max
    alpha = np.where(HOLE, 0, top).astype(dtype)
    alpha[3, 6:30] = top * 3 // 4  # a soft rim belongs to the hole it touches
    alpha[22:, 34:] = top * 3 // 4  # something half transparent elsewhere does not
    photo = Photo(noise(HEIGHT, WIDTH, 3, dtype), alpha)
    expected = HOLE.copy()
    expected[3, 6:30] = True
    assert (read_mask(None, photo) == expected).all()
    assert (read_mask(None, photo, grow=1) >= expected).all()
    with pytest.raises(MaskError, match="no transparent part"):
        read_mask(None, PHOTO)
    assert not read_mask(None, Photo(photo.pixels, np.full_like(alpha, top))).any()


def test_alpha_of_a_palette_photo() -> None:
    image = Image.fromarray(HOLE.astype(np.uint8))
    image.putpalette([200, 100, 50, 10, 20, 30])
    photo = read_photo(pil_file(image, "PNG", transparency=1))
    assert (read_mask(None, photo) == HOLE).all()


def test_masks_of_unreadable_files_name_the_mask() -> None:
    with pytest.raises(ImageError, match="mask"):
        read_mask(b"no image at all", PHOTO)
    with pytest.raises(FileNotFoundError, match=r"no such file: missing\.png"):
        read_mask("missing.png", PHOTO)
    with pytest.raises(ImageError, match="limit of 10"):
        read_mask(io.BytesIO(drawing_in("L")), PHOTO, max_pixels=10)
