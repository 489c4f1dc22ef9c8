"""Formats by their first bytes, images by their modes and shapes, and limits of single formats."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps, features

from gatefill.images import ImageError, format_of, read_photo
from gatefill.images.convert import turned_back, upright
from gatefill.images.kinds import READ
from tests.images.helpers import cv_file, mode_image, noise, pil_file, smooth
from tests.images.test_heif import claiming

ANY = (b"mif1", b"msf1", b"mif2", b"1pic")
AVIF = (b"avif", b"avis")
HEIF = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs")


def brands(major: bytes, *others: bytes, length: int | None = None) -> bytes:
    box = b"ftyp" + major + b"heic" + b"".join(others)  # the version, which is no brand
    return struct.pack(">I", len(box) + 4 if length is None else length) + box + b"avif" * 9


def test_brands_of_iso_files() -> None:
    for names, kind in ((AVIF, "AVIF"), (HEIF, "HEIF")):
        for name in names:
            assert format_of(brands(name), "it") == kind
            for major in ANY:
                for number in (0, 1, 5):
                    data = brands(major, *[b"miaf"] * number, name)
                    assert format_of(data, "it") == kind
    for major in ANY:
        assert format_of(brands(major), "it") == "HEIF"  # what comes after the box is no brand
        assert format_of(brands(major, b"avif", length=16), "it") == "HEIF"
        # Brands are looked for in 256 bytes.
        assert format_of(brands(major, *[b"miaf"] * 59, b"avif"), "it") == "AVIF"
        assert format_of(brands(major, *[b"miaf"] * 60, b"avif"), "it") == "HEIF"
    for major in (b"isom", b"mp42", b"qt  "):
        with pytest.raises(ImageError, match="looks like a video") as found:
            format_of(brands(major, b"avif"), "it")
        assert found.value.code == "image.unknown"


BEGINNINGS = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"BM": "BMP",
    b"GIF87a": "GIF",
    b"GIF89a": "GIF",
    b"RIFF1234WEBP": "WebP",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",
    b"MM\0+": "TIFF",
    **{
        b"P%d%b" % (number, space): "PNM"
        for number in range(1, 7)
        for space in (b" ", b"\n", b"\t")
    },
}


@pytest.mark.parametrize("start", BEGINNINGS)
def test_formats_by_their_first_bytes(start: bytes) -> None:
    assert BEGINNINGS[start] in READ
    assert format_of(start, "it") == BEGINNINGS[start]
    assert format_of(start + b"CR\1 ftypavif", "it") == BEGINNINGS[start]
    for at in range(len(start)):
        if start[at : at + 1] not in b"1234":  # a size, or another kind
            other = start[:at] + b"\7" + start[at + 1 :]
            with pytest.raises(ImageError, match="no image of a known kind"):
                format_of(other, "it")
            with pytest.raises(ImageError):
                format_of(start[:at], "it")


OTHERS = {
    (0, b"P7 "): None,
    (0, b"P0 "): None,
    (0, b"Q5 "): None,
    (0, b"A5 "): None,
    (0, b"P5x"): None,
    (0, b"8BPS"): "Photoshop document",
    (0, b"%PDF"): "PDF document",
    (0, b"\xff\x0a"): "JPEG XL image",
    (4, b"JXL \r\n"): "JPEG XL image",
    (4, b"jP  \r\n"): "JPEG 2000 image",
    (0, b"\xff\x4f\xff\x51"): "JPEG 2000 image",
    (0, b"II\xbc"): "JPEG XR image",
    (0, b"v/1\x01"): "OpenEXR image",
    (0, b"#?RADIANCE"): "Radiance HDR image",
    (0, b"\0\0\1\0"): "Windows icon",
    (0, b"qoif"): "QOI image",
    (0, b"gimp xcf"): "GIMP document",
    (0, b"<svg"): "SVG drawing",
    (0, b"<?xml"): "SVG drawing or other XML",
    (0, b"<!DOCTYPE"): "web page",
    (0, b"PK\3\4"): "ZIP archive",
    (0, b"version https://git-lfs"): "pointer to a file in Git LFS, not the file",
}
RAW = {
    (8, b"CR\x02"): "Canon CR2",
    (4, b"ftypcrx "): "Canon CR3",
    (6, b"HEAPCCDR"): "Canon CRW",
    (0, b"FUJIFILMCCD-RAW"): "Fujifilm RAF",
    (0, b"IIRO"): "Olympus ORF",
    (0, b"IIRS"): "Olympus ORF",
    (0, b"MMOR"): "Olympus ORF",
    (0, b"IIU\0"): "Panasonic RW2",
    (0, b"FOVb"): "Sigma X3F",
    (0, b"\0MRM"): "Minolta MRW",
}


@pytest.mark.parametrize("place", [*OTHERS, *RAW])
def test_other_kinds_are_named_by_what_stands_where(place: tuple[int, bytes]) -> None:
    at, start = place
    before = b"II*\0\1\1\1\1" if at == 8 else b"\7" * at
    with pytest.raises(ImageError) as found:
        format_of(before + start + b"\7" * 9, "it")
    if place in RAW:
        assert (found.value.code, found.value.values) == ("image.raw", {"raw": RAW[place]})
    else:
        values = {"read": [*READ], "seems": OTHERS[place]}
        assert (found.value.code, found.value.values) == ("image.unknown", values)
    with pytest.raises(ImageError) as other:
        format_of(b"\7" * (at + 1) + start + b"\7" * 9, "it")
    assert other.value.values == {"read": [*READ], "seems": None}


@pytest.mark.parametrize("orientation", range(1, 9))
def test_turning_is_what_pillow_does(orientation: int) -> None:
    array = noise(4, 7, 3)
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = Image.fromarray(array)
    image.info["exif"] = exif.tobytes()
    turned = upright(array, orientation)
    assert (turned == np.asarray(ImageOps.exif_transpose(image))).all()
    assert (turned_back(turned, orientation) == array).all()


@pytest.mark.parametrize(
    "mode", ["1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "HSV"]
)
@pytest.mark.parametrize("clear", [False, True])
def test_pil_images_of_every_mode(mode: str, clear: bool) -> None:
    base = mode_image("RGBA")
    image = base.convert("LA").convert(mode) if mode in ("La", "LA") else base
    image = base.convert("L").convert("1") if mode == "1" else image
    image = base.convert("RGB").convert("P").convert("PA") if mode == "PA" else image
    if mode not in ("1", "La", "LA", "PA"):
        image = (base if "A" in mode.upper() else base.convert("RGB")).convert(mode)
    assert image.mode == mode
    if clear and mode in ("1", "L", "P", "RGB"):
        first: Any = image.getpixel((3, 3))
        image.info["transparency"] = first
        expected = np.asarray(image.convert("LA" if mode in ("1", "L") else "RGBA"))
        if mode == "1":
            expected = np.asarray(image.convert("L").convert("LA"))
    else:
        kind = {"1": "L", "L": "L", "LA": "LA", "La": "LA", "PA": "RGBA", "RGBA": "RGBA"}
        expected = np.asarray(image.convert((kind | {"RGBa": "RGBA"}).get(mode, "RGB")))
        expected = expected.reshape(*image.size[::-1], -1)
    photo = read_photo(image)
    color = expected.shape[2] - (expected.shape[2] in (2, 4))
    assert (photo.pixels == expected[..., :color]).all()
    assert (photo.alpha is not None) == (color < expected.shape[2])
    if photo.alpha is not None:
        assert (photo.alpha == expected[..., -1]).all()


@pytest.mark.parametrize(
    ("shape", "size", "channels", "alpha"),
    [
        ((5, 7), (7, 5), 1, False),
        ((5, 7, 1), (7, 5), 1, False),
        ((5, 7, 2), (7, 5), 1, True),
        ((5, 7, 3), (7, 5), 3, False),
        ((5, 7, 4), (7, 5), 3, True),
        ((1, 5, 7), (7, 5), 1, False),
        ((3, 5, 7), (7, 5), 3, False),
        ((4, 5, 7), (7, 5), 3, True),
        ((3, 3, 3), (3, 3), 3, False),
        ((1, 1, 5, 7, 3), (7, 5), 3, False),
        ((2, 5, 7), None, 0, False),
        ((5, 5, 7), None, 0, False),
        ((2, 5, 7, 3), None, 0, False),
        ((5,), None, 0, False),
        ((0, 7, 3), None, 0, False),
    ],
)
def test_arrays_of_every_shape(
    shape: tuple[int, ...], size: tuple[int, int] | None, channels: int, alpha: bool
) -> None:
    array = np.arange(np.prod(shape, dtype=int), dtype=np.uint8).reshape(shape)
    if size is None:
        with pytest.raises(ImageError) as found:
            read_photo(array)
        assert found.value.code == ("image.empty" if 0 in shape else "image.shape")
        return
    photo = read_photo(array)
    assert (photo.size, photo.pixels.shape[2], photo.alpha is not None) == (size, channels, alpha)


@pytest.mark.parametrize(("more", "refused"), [(999, False), (1000, True)])
def test_a_jpeg_may_have_a_thousand_scans(more: int, refused: bool) -> None:
    data = pil_file(mode_image("RGB"), "JPEG") + b"\xff\xda" * more
    if refused:
        with pytest.raises(ImageError, match="it has 1,001 scans") as found:
            read_photo(data)
        assert found.value.code == "image.bomb"
    else:
        assert read_photo(data).size == (13, 9)


@pytest.mark.skipif(not features.check("avif"), reason="needs Pillow with AVIF")
@pytest.mark.parametrize(("height", "refused"), [(520, False), (521, True)])
def test_a_frame_of_an_avif_may_be_a_little_larger(height: int, refused: bool) -> None:
    # 2 to the 18th pixels more than it says.
    data = claiming(pil_file(Image.new("RGB", (512, height)), "AVIF", speed=10), 64, 64)
    try:
        read_photo(data)
        code = "none"
    except ImageError as error:
        code = error.code
    assert (code == "image.bomb") == refused


@pytest.mark.parametrize("format", ["BMP", "PPM"])
@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("left", [60, 100, 300])
def test_what_is_left_of_a_file_that_ends_with_its_pixels(
    left: int, mode: str, format: str
) -> None:
    image = Image.fromarray(smooth(31, 33, 3) // 2 + 90).convert(mode)
    data = pil_file(image, format)
    whole = read_photo(data).pixels
    part = data[: len(data) - 31 * 33 + left] if format == "PPM" else data[:-left]
    with pytest.raises(ImageError, match="allow_truncated"):
        read_photo(part)
    photo = read_photo(part, allow_truncated=True)
    assert photo.pixels.shape == whole.shape
    assert [each.code for each in photo.meta.warnings] == ["file.truncated"]
    same = (photo.pixels == whole).all(axis=2).mean()
    assert 0 < same < 1
    missing = (photo.pixels == 0).all(axis=2)
    assert (missing | (photo.pixels == whole).all(axis=2)).mean() > 0.99


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA"])
@pytest.mark.parametrize("size", [(1, 1), (1, 40), (3, 5), (40, 1), (33, 31)])
def test_a_bmp_of_which_only_the_header_is_left(size: tuple[int, int], mode: str) -> None:
    data = pil_file(Image.new("RGBA", size, (200, 90, 30, 255)).convert(mode), "BMP")
    start = struct.unpack_from("<I", data, 10)[0]  # of the pixels
    for left in (0, 1, 3) if size != (1, 1) else (0,):
        photo = read_photo(data[: start + left], allow_truncated=True)
        assert photo.size == size
        assert [each.code for each in photo.meta.warnings] == ["file.truncated"]


def test_deep_colors_of_a_pnm_are_refused() -> None:
    deep = cv_file(noise(5, 4, 3, np.uint16), ".ppm")
    with pytest.raises(ImageError, match="expected 8 bits in a color PNM") as found:
        read_photo(deep)
    assert found.value.code == "image.depth"
    array = noise(5, 4, 1, np.uint16)
    assert (read_photo(cv_file(array, ".pgm")).pixels == array).all()
