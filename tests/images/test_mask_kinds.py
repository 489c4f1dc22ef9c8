"""Masks that are something else: photos, erased copies, maps of labels, drawn for stored pixels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image, ImageFilter

import gatefill
from gatefill.errors import ConfigError, MaskError
from gatefill.images import (
    MaskOptions,
    Photo,
    read_drawing,
    read_hole,
    read_mask,
    read_photo,
    read_plane,
)
from gatefill.images.convert import turned_back, upright
from tests.images.cases import case
from tests.images.helpers import exif_block, noise, pil_file, smooth

HEIGHT, WIDTH = 48, 64
PHOTO = Photo(smooth(HEIGHT, WIDTH, 3) // 2 + noise(HEIGHT, WIDTH, 3) // 4)
HOLE = np.zeros((HEIGHT, WIDTH), bool)
HOLE[10:30, 12:40] = True


def codes(source: Any, photo: Photo = PHOTO, **options: Any) -> list[str]:
    return [each.code for each in read_hole(source, photo, MaskOptions(**options)).warnings]


def copy_of(photo: Photo, alpha: np.ndarray) -> np.ndarray:
    """The photo as an image editor saves it after erasing: clear pixels lose their colors."""
    pixels = np.where(alpha[..., None] == 0, 0, photo.pixels).astype(np.uint8)
    return np.dstack([pixels, alpha.astype(np.uint8)])


def test_the_erased_copy_of_a_photo_means_what_was_erased() -> None:
    photo = read_photo(case("erased-copy-as-mask", "photo.png"))
    path = case("erased-copy-as-mask", "erased_copy.png")
    hole, said = read_hole(path, photo)
    alpha = np.asarray(Image.open(path))[..., 3]
    assert (alpha == 0).any()
    assert (hole == (alpha < 255)).all()
    assert [each.code for each in said] == ["mask.erased"]


def test_a_photo_and_its_mask_swapped() -> None:
    mask = case("erased-copy-as-mask", "mask.png")
    photo = case("erased-copy-as-mask", "photo.png")
    said = read_hole(photo, read_photo(mask)).warnings
    assert [each.code for each in said] == ["mask.photo"]
    assert "photo.png has" in str(said[0])
    result = gatefill.load("patchmatch")(mask, photo)
    assert any("is it the mask?" in str(warning) for warning in result.warnings)


@pytest.mark.parametrize("format", ["PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("flat", [False, True])
def test_erased_copies_in_files_of_any_kind(flat: bool, format: str) -> None:
    # A drawing of a few colors is no photo, but what is left of it is what the photo has.
    pixels = np.where(HOLE[::-1, ::-1, None], (200, 30, 30), (250, 250, 240)).astype(np.uint8)
    photo = Photo(pixels) if flat else PHOTO
    copy = Image.fromarray(copy_of(photo, np.where(HOLE, 0, 255)))
    options = {"lossless": True} if format == "WEBP" else {}
    assert (read_mask(pil_file(copy, format, **options), photo) == HOLE).all()
    assert codes(pil_file(copy, format, **options), photo) == ["mask.erased"]


def test_a_lossy_copy_of_another_depth_is_one_too() -> None:
    jpeg = read_photo(pil_file(Image.fromarray(PHOTO.pixels), "JPEG", quality=60))
    deep = (copy_of(jpeg, np.where(HOLE, 0, 255)).astype(np.uint16)) * 257
    assert (read_mask(deep, PHOTO) == HOLE).all()
    assert codes(deep) == ["mask.erased"]


def test_a_soft_eraser_belongs_to_the_hole_entirely() -> None:
    alpha = Image.fromarray(np.where(HOLE, 0, 255).astype(np.uint8))
    alpha = np.asarray(alpha.filter(ImageFilter.GaussianBlur(3)))
    assert np.count_nonzero((alpha > 127) & (alpha < 255)) > 100
    alpha = alpha.copy()
    alpha[40:44, 50:60] = 200  # something half-transparent elsewhere
    expected = alpha < 255
    expected[40:44, 50:60] = False
    assert (read_mask(copy_of(PHOTO, alpha), PHOTO) == expected).all()
    assert (read_mask(None, Photo(PHOTO.pixels, alpha)) == expected).all()


def test_a_photo_that_is_nowhere_quite_opaque() -> None:
    alpha = np.where(HOLE, 0, 254).astype(np.uint8)
    assert (read_mask(None, Photo(PHOTO.pixels, alpha)) == HOLE).all()


def test_an_object_cut_out_of_a_photo_is_the_hole() -> None:
    cutout = copy_of(PHOTO, np.where(HOLE, 255, 0))
    assert (read_mask(cutout, PHOTO) == HOLE).all()
    assert codes(cutout) == ["mask.cutout"]
    assert (read_mask(cutout, PHOTO, invert=True) == ~HOLE).all()


def test_photos_as_masks_are_told_and_drawings_are_not(shared: Path) -> None:
    paths = sorted((shared / "photos" / "photos").glob("*.jpg"))[:40]
    told = 0
    for path in paths:
        photo = read_photo(path)
        told += "mask.photo" in codes(photo.pixels, photo)
    assert told >= 38
    white = Image.fromarray(np.where(HOLE, 255, 0).astype(np.uint8))
    assert codes(white) == []
    assert codes(white.filter(ImageFilter.GaussianBlur(2))) == []
    assert codes(pil_file(white, "JPEG", quality=40)) == []
    assert codes(HOLE) == codes(HOLE.astype(np.float32)) == codes(HOLE.astype(np.uint8)) == []
    large = white.resize((1000, 750), Image.Resampling.LANCZOS)
    assert codes(large, Photo(noise(750, 1000, 3))) == []
    circle = cv2.circle(np.zeros((HEIGHT, WIDTH), np.uint8), (30, 20), 9, 255, -1, cv2.LINE_AA)
    assert codes(circle) == []


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_photos_of_every_depth_are_told(dtype: Any) -> None:
    pixels = PHOTO.pixels.astype(np.float32) * 2 / 255
    most = 1 if dtype == np.float32 else np.iinfo(dtype).max
    assert codes((pixels.clip(0, 1) * most).astype(dtype)) == ["mask.photo"]


def test_sketches_and_search_regions_that_are_photos_are_told_too() -> None:
    for name in ("sketch", "search region"):
        said = read_drawing(PHOTO.pixels * 2, PHOTO, name).warnings
        assert [each.code for each in said] == ["mask.photo"]
        assert f"is it the {name}?" in str(said[0])


def label_map(*values: int, dtype: Any = np.uint8) -> np.ndarray:
    plane = np.zeros((HEIGHT, WIDTH), dtype)
    for at, value in enumerate(values):
        plane[10:30, 4 + 14 * at : 14 + 14 * at] = value
    return plane


def test_maps_of_labels_say_what_was_seen() -> None:
    for dtype in (np.uint8, np.uint16, np.int64):
        plane = label_map(1, 2, 5, dtype=dtype)
        hole, said = read_hole(plane, PHOTO)
        assert not hole.any()
        (told,) = said
        assert told.code == "mask.labels"
        assert told.values["values"] == [0, 1, 2, 5]
        assert "contains the values 0, 1, 2, 5" in str(told)
        assert "none, as none is above 127" in str(told)
        assert (read_mask(plane, PHOTO, threshold=0) == (plane > 0)).all()
    hole, said = read_hole(label_map(64, 128, 255), PHOTO)
    assert (hole == (label_map(64, 128, 255) > 127)).all()
    assert "0, 64, 128, 255" in str(said[0])
    assert "taken as white were those above 127" in str(said[0])
    palette = Image.fromarray(label_map(1, 2))
    palette.putpalette([0, 0, 0, 128, 0, 0, 0, 100, 0])
    assert codes(pil_file(palette, "PNG")) == ["mask.labels"]
    assert codes(label_map(255)) == codes(label_map(1)) == []


def test_the_threshold_is_an_option() -> None:
    photo, row = Photo(noise(1, 5, 3)), np.array([[0, 40, 41, 200, 201]], np.uint8)
    for threshold, expected in (
        (40, [0, 0, 1, 1, 1]),
        (200, [0, 0, 0, 0, 1]),
        (0, [0, 1, 1, 1, 1]),
    ):
        for given in (row, row.astype(np.uint16) * 257, row / 255, row.astype(np.float32) / 255):
            mask = read_mask(given, photo, threshold=threshold)
            assert mask[0].tolist() == [bool(value) for value in expected]
    for wrong in (-1, 255):
        with pytest.raises(ConfigError, match="expected a threshold from 0 to 254"):
            read_mask(row, photo, threshold=wrong)
    result = gatefill.load("patchmatch")(PHOTO, label_map(60), threshold=50)
    assert (result.mask == (label_map(60) > 0)).all()


def turned(orientation: int, height: int = HEIGHT, width: int = WIDTH) -> tuple[Photo, np.ndarray]:
    """A photo of that orientation, and a hole in its stored pixels."""
    image = Image.fromarray(noise(height, width, 3))
    photo = read_photo(pil_file(image, "PNG", exif=exif_block(orientation)))
    stored = np.zeros((height, width), bool)
    stored[4:12, 6:20] = True
    return photo, stored


@pytest.mark.parametrize("orientation", range(5, 9))
def test_a_mask_for_the_stored_photo_is_recognized(orientation: int) -> None:
    photo, stored = turned(orientation)
    small, large = stored[::2, ::2], np.kron(stored, np.ones((3, 3), bool))
    for mask in (stored, small, large):
        for resize in (False, True):
            with pytest.raises(MaskError, match="as its file stores it") as found:
                read_mask(mask, photo, resize=resize)
            assert found.value.code == "mask.orientation"
            assert "resize" not in str(found.value)
            assert "mask_as_stored" in str(found.value)
            assert f"orientation {orientation}" in str(found.value)
        mask_ = read_mask(mask, photo, resize=True, as_stored=True)
        assert (mask_ == upright(stored, orientation)).all()
    assert (read_mask(stored, photo, as_stored=True) == upright(stored, orientation)).all()
    # Other shapes have nothing to do with it.
    with pytest.raises(MaskError, match="resize_mask"):
        read_mask(np.zeros((10, 30), bool), photo)


@pytest.mark.parametrize("orientation", range(2, 9))
def test_a_note_says_that_the_photo_was_turned(orientation: int) -> None:
    photo, stored = turned(orientation, 40, 40)
    assert codes(stored, photo) == ["mask.turned"]
    assert codes(stored, photo, as_stored=True) == []
    assert (read_mask(stored, photo) == stored).all()
    assert (read_mask(stored, photo, as_stored=True) == upright(stored, orientation)).all()
    file = pil_file(Image.fromarray(stored), "PNG")
    assert codes(file, photo) == ["mask.turned"]
    # One that says itself how it is to be turned leaves no doubt.
    own = pil_file(Image.fromarray(stored), "PNG", exif=exif_block(orientation))
    for as_stored in (False, True):
        assert codes(own, photo, as_stored=as_stored) == []
        assert (read_mask(own, photo, as_stored=as_stored) == upright(stored, orientation)).all()
    assert codes(stored, Photo(photo.pixels)) == []


def test_who_saw_the_upright_photo_is_not_told() -> None:
    photo, stored = turned(3)
    result = gatefill.load("patchmatch")(photo, stored)
    assert not [each for each in result.warnings if "EXIF" in str(each)]


def test_sketches_are_turned_as_well() -> None:
    photo, stored = turned(6)
    with pytest.raises(MaskError, match="the sketch is 64 x 48 and fits the photo as its file"):
        read_plane(stored, photo, "sketch")
    found = read_drawing(stored, photo, "sketch", MaskOptions(as_stored=True)).mask
    assert (found == upright(stored, 6)).all()


@pytest.mark.parametrize("orientation", [3, 6])
def test_the_masks_that_were_reported(orientation: int) -> None:
    photo = case("mask-in-stored-orientation", f"turned{orientation}.jpg")
    mask = case("mask-in-stored-orientation", "mask.png")
    fill = gatefill.load("patchmatch")
    if orientation == 6:
        for resize in (False, True):
            with pytest.raises(MaskError, match="mask_as_stored"):
                fill(photo, mask, resize_mask=resize)
    else:
        assert any("orientation 3" in str(each) for each in fill(photo, mask).warnings)
    result = fill(photo, mask, mask_as_stored=True)
    stored = np.asarray(Image.open(mask)) > 127
    assert (turned_back(result.mask, orientation) == stored).all()
    red = (result.photo.pixels[..., 0] > 180) & (result.photo.pixels[..., 1] < 70)
    assert np.count_nonzero(red) < 20  # of 70 before: the object is gone


def test_a_hole_where_the_photo_is_clear_is_told() -> None:
    alpha = np.where(HOLE, 0, 255).astype(np.uint8)
    photo = Photo(PHOTO.pixels, alpha)
    inside = np.zeros_like(HOLE)
    inside[15:20, 15:20] = True
    assert codes(inside, photo) == ["mask.hidden"]
    assert codes(~HOLE & (noise(HEIGHT, WIDTH, 1)[..., 0] > 200), photo) == []


def test_a_mask_that_is_cut_off_is_read_on_request_and_told() -> None:
    white = np.where(HOLE, 255, 0).astype(np.uint8)
    data = pil_file(Image.fromarray(white), "JPEG")[:-20]
    assert "file.truncated" in codes(data, allow_truncated=True)
