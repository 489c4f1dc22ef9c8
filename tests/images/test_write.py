"""Writing photos: round trips, what is kept, and files that appear whole or not at all."""

from __future__ import annotations

import io
import logging
import os
import stat
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, JpegImagePlugin

from gatefill.images import (
    OUTPUT_SUFFIXES,
    ImageError,
    Meta,
    Photo,
    check_output,
    read_photo,
    write_atomically,
)
from tests.images.helpers import SRGB, exif_block, mode_image, noise, pil_file, smooth

EXIF = exif_block(1).tobytes()[6:]
FULL = Meta(exif=EXIF, icc=SRGB, dpi=(300.0, 150.0))


def photo_of(array: np.ndarray, meta: Meta = FULL) -> Photo:
    channels = array.shape[2]
    if channels in (1, 3):
        return Photo(array, None, meta)
    return Photo(array[..., :-1], array[..., -1], meta)


def exif_of(data: bytes, format: str) -> Image.Exif:
    if format != "tiff":
        return Image.open(io.BytesIO(data)).getexif()
    exif = Image.Exif()
    exif.load(data)  # Pillow opens no 16-bit gray with alpha, but a TIFF's head is EXIF itself
    return exif


@given(
    height=st.integers(1, 20),
    width=st.integers(1, 20),
    channels=st.integers(1, 4),
    deep=st.booleans(),
    format=st.sampled_from(["png", "tiff", "webp", "bmp"]),
    seed=st.integers(0, 99),
)
def test_lossless_formats_give_every_pixel_back(
    height: int, width: int, channels: int, deep: bool, format: str, seed: int
) -> None:
    deep = deep and format in ("png", "tiff")
    channels = channels if format != "bmp" else 1 + channels // 2 * 2 % 4
    photo = photo_of(noise(height, width, channels, np.uint16 if deep else np.uint8, seed))
    again = read_photo(photo.to_bytes(format))
    assert again.pixels.dtype == photo.pixels.dtype
    assert (again.pixels == photo.pixels).all()
    if format == "webp" and channels < 3:
        assert again.pixels.shape[2] == 3  # WebP knows no gray
    else:
        assert again.pixels.shape == photo.pixels.shape
    if photo.alpha is not None and not (format == "webp" and (photo.alpha == 255).all()):
        assert again.alpha is not None
        assert (again.alpha == photo.alpha).all()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("format", ["png", "tiff", "webp", "jpg"])
def test_exif_profile_and_resolution_are_kept(format: str, channels: int, dtype: type) -> None:
    data = photo_of(noise(6, 5, channels, dtype)).to_bytes(format)
    again = read_photo(data)
    assert again.meta.icc == SRGB
    exif = exif_of(data, format)
    assert exif[0x010F] == "Maker"
    assert exif[0x0132] == "2024:05:06 07:08:09"
    assert exif.get(0x0112, 1) == 1
    assert exif.get_ifd(0x8769)[0x8827] == 400
    assert exif.get_ifd(0x8769)[0x9003] == "2024:05:06 07:08:09"
    assert exif.get_ifd(0x8825)[1] == "N"
    assert [float(part) for part in exif.get_ifd(0x8825)[2]] == [37, 30, 1.5]
    if format != "webp":
        assert again.meta.dpi == pytest.approx((300, 150), abs=0.1)
    # A second round keeps them as well.
    third = exif_of(again.to_bytes(format), format)
    assert third.get_ifd(0x8769)[0x8827] == 400
    assert third.get_ifd(0x8825)[1] == "N"


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_others_read_our_sixteen_bit_files(dtype: type) -> None:
    array = noise(300, 40, 3, dtype)
    photo = photo_of(array)
    page = tifffile.imread(io.BytesIO(photo.to_bytes("tif")))
    assert (page == array).all()
    with Image.open(io.BytesIO(photo.to_bytes("png"))) as image:
        image.verify()
    with Image.open(io.BytesIO(photo.to_bytes("png"))) as image:
        shift = 8 if dtype == np.uint16 else 0
        assert (np.asarray(image) == array >> shift).all()
    if dtype == np.uint16:
        with Image.open(io.BytesIO(photo.to_bytes("tif"))) as image:
            assert (np.asarray(image) == array >> 8).all()


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
def test_jpeg_keeps_the_sources_tables_and_subsampling(subsampling: str, tmp_path: Path) -> None:
    image = mode_image("RGB", 32, 32)
    source = pil_file(image, "JPEG", subsampling=subsampling, quality=60)
    read_photo(source).save(tmp_path / "out.jpg")
    with Image.open(tmp_path / "out.jpg") as out:
        assert isinstance(out, JpegImagePlugin.JpegImageFile)
        found = JpegImagePlugin.get_sampling(out)
        assert {0: "4:4:4", 1: "4:2:2", 2: "4:2:0"}[found] == subsampling
        before: Any = Image.open(io.BytesIO(source))
        assert out.quantization == before.quantization


@pytest.mark.parametrize("source", ["PNG", "TIFF", "array"])
def test_jpeg_from_no_jpeg_has_full_chroma(source: str) -> None:
    image = mode_image("RGB", 32, 32)
    photo = read_photo(np.asarray(image) if source == "array" else pil_file(image, source))
    with Image.open(io.BytesIO(photo.to_bytes("jpg"))) as out:
        assert JpegImagePlugin.get_sampling(out) == 0


def test_a_photo_with_holes_becomes_a_jpeg_on_white(caplog: pytest.LogCaptureFixture) -> None:
    array = np.full((16, 16, 4), 255, np.uint8)
    array[..., :3] = (200, 30, 30)
    array[:8, :, 3] = 0
    with caplog.at_level(logging.WARNING):
        again = read_photo(photo_of(array).to_bytes("jpg"))
    assert "no transparency" in caplog.text
    assert abs(again.pixels[2, 2].astype(int) - 255).max() <= 3
    assert abs(again.pixels[13, 13].astype(int) - [200, 30, 30]).max() <= 3
    caplog.clear()
    array[..., 3] = 255
    photo_of(array, Meta()).to_bytes("bmp")
    assert not caplog.text


def test_sixteen_bits_in_an_eight_bit_format_are_rounded(caplog: pytest.LogCaptureFixture) -> None:
    values = np.array([0, 128, 129, 257, 65406, 65407, 65535, 32896], np.uint16)
    photo = Photo(np.repeat(values[None, :, None], 3, axis=2))
    with caplog.at_level(logging.WARNING):
        again = read_photo(photo.to_bytes("webp"))
    assert again.pixels[0, :, 0].tolist() == [0, 0, 1, 1, 254, 255, 255, 128]
    assert "16 bits" in caplog.text
    assert (np.asarray(photo.to_pil()) == again.pixels).all()


def test_pil_images_of_every_kind() -> None:
    modes = {}
    for dtype in (np.uint8, np.uint16):
        for channels in (1, 2, 3, 4):
            image = photo_of(noise(6, 5, channels, dtype)).to_pil()
            assert image.size == (5, 6)
            modes[dtype, channels] = image.mode
    assert list(modes.values()) == ["L", "LA", "RGB", "RGBA", "I;16", "LA", "RGB", "RGBA"]
    image = photo_of(noise(6, 5, 3)).to_pil()
    assert image.info["icc_profile"] == SRGB
    assert image.getexif()[0x010F] == "Maker"


def test_exif_too_long_for_a_jpeg_is_dropped(caplog: pytest.LogCaptureFixture) -> None:
    exif = exif_block()
    exif[0x010E] = "long " * 20000
    photo = Photo(noise(5, 5, 3), None, Meta(exif=exif.tobytes()[6:]))
    with caplog.at_level(logging.WARNING):
        assert read_photo(photo.to_bytes("jpg")).meta.exif is None
    assert "too long" in caplog.text
    assert read_photo(photo.to_bytes("png")).meta.exif is not None


@pytest.mark.parametrize("suffix", [*OUTPUT_SUFFIXES, ".PNG", ".Jpg"])
def test_the_format_follows_the_name(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"out{suffix}"
    Photo(smooth(20, 30, 3)).save(path)
    with Image.open(path) as image:
        assert image.format == OUTPUT_SUFFIXES[suffix.lower()]
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("name", ["out", "out.gif", "out.txt", ".png", "png"])
def test_unknown_suffixes_name_the_known(name: str, tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"\.png \.jpg"):
        Photo(noise(3, 3, 3)).save(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_unknown_formats_name_the_known() -> None:
    with pytest.raises(ImageError, match=r"\.png .* got 'heic'"):
        Photo(noise(3, 3, 3)).to_bytes("heic")


@pytest.mark.parametrize(("side", "format"), [(65600, "jpg"), (16400, "webp")])
def test_sides_too_long_for_a_format(side: int, format: str, tmp_path: Path) -> None:
    path = tmp_path / f"out.{format}"
    path.write_bytes(b"old")
    with pytest.raises(ImageError, match="cannot be written as"):
        Photo(np.zeros((1, side, 1), np.uint8)).save(path, overwrite=True)
    assert path.read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 1


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    photo = Photo(noise(3, 3, 3))
    with pytest.raises(FileNotFoundError, match="no such folder"):
        photo.save(tmp_path / "missing" / "out.png")
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(ImageError, match="something else"):
        photo.save(tmp_path / "folder.png")
    with pytest.raises(ImageError, match="cannot be written"):
        photo.save(tmp_path / ("long" * 100 + ".png"))
    with pytest.raises(ImageError, match="cannot be written"):
        photo.save("null\0byte.png")
    with pytest.raises(ImageError, match="something else"):
        write_atomically(os.devnull, b"data")


def test_overwriting(tmp_path: Path) -> None:
    path = tmp_path / "out.png"
    path.write_bytes(b"old")
    path.chmod(0o640)
    with pytest.raises(ImageError, match="exists already"):
        Photo(noise(3, 3, 3)).save(path)
    with pytest.raises(ImageError, match="exists already"):
        check_output(path, overwrite=False)
    assert path.read_bytes() == b"old"
    array = noise(3, 3, 3)
    Photo(array).save(path, overwrite=True)
    assert (read_photo(path).pixels == array).all()
    if os.name == "posix":  # Windows knows read-only files alone
        assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_links_are_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "photo.png").write_bytes(b"old")
    (tmp_path / "link.png").symlink_to(tmp_path / "real" / "photo.png")
    Photo(noise(3, 3, 3)).save(tmp_path / "link.png", overwrite=True)
    assert (tmp_path / "link.png").is_symlink()
    assert read_photo(tmp_path / "real" / "photo.png").size == (3, 3)


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "out.bin"
    path.write_bytes(b"old")
    with pytest.raises(TypeError):
        write_atomically(path, "no bytes")  # type: ignore[arg-type]
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["out.bin"]
