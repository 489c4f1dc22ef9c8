"""What a format holds of a photo, value by value and up to the longest block."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from gatefill.errors import ConfigError
from gatefill.images import ImageError, Meta, Photo, check_options, read_photo, suffix_of
from gatefill.images.jpeg_segments import layout_of
from tests.images.helpers import SRGB, exif_block, noise, pil_file, smooth
from tests.images.structures import structure

EXIF = structure("<", {271: (2, 6, b"Maker\0")})
LONGEST = 65533 - 64  # bytes of an EXIF, XMP or IPTC block in a JPEG, after what names it


def codes(photo: Photo, format: str, **options: Any) -> list[str]:
    return [each.code for each in photo.encoded(format, **options).warnings]


@pytest.mark.parametrize("field", ["exif", "xmp", "iptc"])
@pytest.mark.parametrize("more", [0, 1])
def test_blocks_up_to_the_longest_fit_a_jpeg(field: str, more: int) -> None:
    block = (EXIF if field == "exif" else b"<x/>").ljust(LONGEST + more, b"\1")
    photo = Photo(noise(5, 5, 3), None, Meta(**{field: block}))  # type: ignore[arg-type]
    file = photo.encoded("jpg")
    name = {"exif": "EXIF data", "xmp": "XMP data", "iptc": "IPTC data"}[field]
    said = [each.values["left_out"] for each in file.warnings]
    assert said == ([[f"{name} (too long)"]] if more else [])
    assert (getattr(read_photo(file.data).meta, field) is None) == bool(more)
    assert "too long" not in str([str(each) for each in photo.encoded("png").warnings])


HELD = {
    "png": {"exif", "icc", "xmp", "comments"},
    "jpg": {"exif", "icc", "xmp", "iptc", "comments"},
    "webp": {"exif", "icc", "xmp"},
    "tif": {"exif", "icc", "xmp", "iptc"},
    "avif": {"exif", "icc", "xmp"},
    "bmp": set(),
}
FIELDS = {
    "exif": ("EXIF data", EXIF),
    "icc": ("color profile", SRGB),
    "xmp": ("XMP data", b"<x:xmpmeta/>"),
    "iptc": ("IPTC data", b"\x1c\x02\x78\x00\x05hello"),
    "comments": ("comments", (b"one", b"two")),
}


@pytest.mark.parametrize("format", HELD)
@pytest.mark.parametrize("field", FIELDS)
def test_each_format_holds_a_field_or_says_that_it_does_not(field: str, format: str) -> None:
    name, value = FIELDS[field]
    file = Photo(noise(24, 24, 3), None, Meta(**{field: value})).encoded(format)  # type: ignore[arg-type]
    again = read_photo(file.data).meta
    if field in HELD[format]:
        assert file.warnings == ()
        if (format, field) == ("png", "comments"):
            assert [body for _, body in again.chunks] == [
                b"Comment" + bytes(5) + text for text in (b"one", b"two")
            ]
        elif field == "exif":
            assert b"Maker" in (again.exif or b"")
        else:
            assert getattr(again, field) == value
    else:
        (said,) = file.warnings
        assert (said.code, said.values["left_out"]) == ("file.metadata", [name])
        assert not getattr(again, field)


def test_what_a_png_says_of_color_is_said_to_go() -> None:
    chunks = ((b"gAMA", bytes(4)), (b"cHRM", bytes(32)), (b"cICP", bytes(4)), (b"tEXt", b"a\0b"))
    for meta, expected in (
        (Meta(chunks=chunks), ["PNG texts", "color space (cHRM, cICP, gAMA)"]),
        (Meta(chunks=chunks, icc=SRGB), ["PNG texts", "color space (cICP)"]),
        (Meta(chunks=(*chunks[:2], (b"sRGB", b"\0"))), []),
        (Meta(chunks=chunks[3:]), ["PNG texts"]),
        (Meta(), []),
    ):
        said = Photo(noise(5, 5, 3), None, meta).encoded("tif").warnings
        assert [each.values["left_out"] for each in said] == ([expected] if expected else [])
        assert Photo(noise(5, 5, 3), None, meta).encoded("png").warnings == ()


def test_long_comments_are_cut_to_a_segment() -> None:
    for length in (65532, 65533, 65534, 100_000):
        text = bytes(range(1, 251)) * 401
        photo = Photo(noise(5, 5, 3), None, Meta(comments=(text[:length], b"two")))
        head = layout_of(photo.to_bytes("jpg")).head
        found = [each.payload for each in head if each.marker == 0xFE]
        assert found == [text[: min(length, 65533)], b"two"]


@pytest.mark.parametrize("most", [255, 65535])
def test_transparent_pixels_are_blended_with_white(most: int) -> None:
    dtype = np.uint8 if most == 255 else np.uint16
    values = np.array([0, most // 5, most // 3, most])
    shares = np.array([0, most // 5, most // 3, most - 1, most])
    pixels = np.repeat(values[:, None], 5, axis=1)[..., None].astype(dtype)
    alpha = np.repeat(shares[None], 4, axis=0).astype(dtype)
    photo = Photo(np.repeat(pixels, 3, axis=2), alpha)
    file = photo.encoded("bmp")
    assert [each.code for each in file.warnings] == ["file.alpha"] + ["file.depth"] * (most > 255)
    expected = np.rint((pixels[..., 0] * (alpha / most) + most - alpha) / (most // 255))
    assert abs(read_photo(file.data).pixels[..., 0] - expected).max() <= (most > 255)
    opaque = Photo(np.repeat(pixels, 3, axis=2), np.full_like(alpha, most))
    assert codes(opaque, "bmp") == ["file.depth"] * (most > 255)


def test_the_qualities_where_none_is_asked_for() -> None:
    pixels = smooth(40, 50, 3) // 2 + noise(40, 50, 3) // 2
    plain = Photo(pixels)
    assert plain.to_bytes("jpg") == plain.to_bytes("jpg", quality=95)
    assert plain.to_bytes("jpg") != plain.to_bytes("jpg", quality=94)
    lossy = Photo(pixels, None, Meta(format="WEBP", lossy=True))
    assert lossy.to_bytes("webp") == plain.to_bytes("webp", quality=90)
    assert lossy.to_bytes("webp") != plain.to_bytes("webp", quality=89)
    assert lossy.to_bytes("webp", lossless=True) == plain.to_bytes("webp")
    assert plain.to_bytes("webp", lossless=False) == plain.to_bytes("webp", quality=90)
    assert plain.to_bytes("avif") == plain.to_bytes("avif", quality=90)
    assert plain.to_bytes("avif") != plain.to_bytes("avif", quality=80)
    for jpeg in (Meta(format="JPEG", lossy=True), Meta(format="WEBP")):
        assert Photo(pixels, None, jpeg).to_bytes("webp") == plain.to_bytes("webp")


def test_what_is_said_of_loss() -> None:
    pixels = noise(24, 24, 3)
    for meta, format, options, expected in (
        (Meta(), "jpg", {}, []),
        (Meta(format="PNG"), "jpg", {}, ["file.lossy"]),
        (Meta(format="PNG"), "webp", {}, []),
        (Meta(format="PNG"), "webp", {"quality": 80}, ["file.lossy"]),
        (Meta(format="PNG"), "webp", {"lossless": False}, ["file.lossy"]),
        (Meta(format="WEBP", lossy=True), "webp", {}, ["file.reencoded"]),
        (Meta(format="WEBP", lossy=True), "webp", {"lossless": True}, []),
        (Meta(format="WEBP", lossy=True), "avif", {}, []),
        (Meta(format="AVIF", lossy=True), "avif", {}, ["file.reencoded"]),
        (Meta(format="AVIF", lossy=True), "png", {}, []),
        (Meta(format="JPEG", lossy=True), "jpg", {"quality": 80}, []),
        (Meta(format="TIFF", converted="CMYK"), "png", {}, ["file.color"]),
    ):
        assert codes(Photo(pixels, None, meta), format, **options) == expected, (meta, format)
    said = Photo(pixels, None, Meta(format="WEBP", lossy=True)).encoded("webp").warnings
    assert "lossy WebP" in str(said[0])
    said = Photo(pixels, None, Meta(format="AVIF", lossy=True)).encoded("avif").warnings
    assert "AVIF" in str(said[0])


def test_options_out_of_range_are_refused() -> None:
    for quality in (1, 100):
        check_options("JPEG", quality, None)
        check_options("WEBP", quality, False)
    for quality in (0, 101, -1):
        with pytest.raises(ConfigError, match=f"1 to 100, got {quality}") as found:
            check_options("JPEG", quality, None)
        assert found.value.values == {"quality": quality}
    for format in ("JPEG", "AVIF"):
        check_options(format, None, False)
        with pytest.raises(ConfigError, match="that can be lossless"):
            check_options(format, None, True)
    check_options("PNG", None, True)
    with pytest.raises(ConfigError, match="got both"):
        check_options("WEBP", 50, True)
    with pytest.raises(ImageError, match="it cannot be written as WEBP") as long:
        Photo(np.zeros((1, 17_000, 3), np.uint8), None, Meta(name="it")).encoded("webp")
    assert long.value.values["format"] == "WEBP"


def test_colors_under_transparent_pixels_stay() -> None:
    pixels, alpha = noise(9, 9, 3), np.zeros((9, 9), np.uint8)
    alpha[0, 0] = 1
    for format in ("webp", "png", "tif"):
        again = read_photo(Photo(pixels, alpha).to_bytes(format))
        assert (again.pixels == pixels).all()
        assert again.alpha is not None
        assert (again.alpha == alpha).all()


LAYOUT = {
    *(
        254,
        255,
        256,
        257,
        258,
        259,
        260,
        261,
        262,
        263,
        264,
        265,
        266,
        273,
        277,
        278,
        279,
        280,
        281,
        284,
    ),
    *(290, 291, 292, 293, 294, 295, 297, 301, 317, 318, 319, 320, 321, 322, 323, 324, 325, 330),
    *(332, 333, 334, 335, 336, 337, 338, 339, 340, 341, 342, 343, 347),
    *(512, 513, 514, 515, 516, 517, 518, 519, 520, 521, 522, 523, 524, 525, 526, 527, 528, 529),
    *(530, 531, 532, 700, 33723, 34377, 34675, 37724),
}
"""Tags of how pixels are stored (TIFF 6.0 and its supplements), and of what has its own place."""


def test_tags_about_the_photo_are_kept_and_those_about_its_pixels_are_not() -> None:
    tags = sorted(LAYOUT | {each + step for each in LAYOUT for step in (-1, 1)})
    values = {tag: (7, 5, b"12345") for tag in tags if tag not in (282, 283, 296)}
    data = Photo(noise(5, 5, 3), None, Meta(exif=structure("<", {**values}))).to_bytes("tif")
    found = tifffile.TiffFile(io.BytesIO(data)).pages[0].tags
    for tag in values:
        kept = tag in found and found[tag].value == b"12345"
        assert kept == (tag not in LAYOUT)


def test_the_suffix_for_a_format() -> None:
    known = {"JPEG": ".jpg", "MPO": ".jpg", "webp": ".webp", "TIFF": ".tif", "BMP": ".bmp"}
    for format, suffix in {
        **known,
        "AVIF": ".avif",
        "GIF": ".png",
        "PNG": ".png",
        None: ".png",
    }.items():
        assert suffix_of(format) == suffix


def test_a_pil_image_carries_what_a_file_would() -> None:
    meta = Meta(exif=EXIF, icc=SRGB, dpi=(300.0, 150.0), xmp=b"<x/>")
    image = Photo(noise(6, 5, 3), None, meta).to_pil()
    assert image.info == {
        "exif": b"Exif\0\0" + EXIF,
        "icc_profile": SRGB,
        "dpi": (300.0, 150.0),
        "xmp": b"<x/>",
    }
    assert Photo(noise(6, 5, 3)).to_pil().info == {}
    values = noise(6, 5, 3, np.uint16)
    expected = np.rint(values / 257)
    assert (np.asarray(Photo(values).to_pil()) == expected).all()
    gray = Photo(values[..., :1], values[..., 1]).to_pil()
    assert (np.asarray(gray) == expected[..., :2]).all()


def test_a_resolution_in_a_tiff_is_exact_to_ten_thousandths() -> None:
    data = Photo(noise(5, 5, 3), None, Meta(dpi=(300.0001, 72.00013))).to_bytes("tif")
    page = tifffile.TiffFile(io.BytesIO(data)).pages[0]
    assert page.tags[282].value == (3_000_001, 10_000)
    assert abs(np.divide(*page.tags[283].value) - 72.00013) < 1e-8
    assert page.tags[296].value == 2


@pytest.mark.parametrize("orientation", range(1, 9))
def test_resolutions_are_turned_with_the_photo(orientation: int) -> None:
    image = Image.fromarray(noise(6, 9, 3))
    for format in ("JPEG", "PNG"):
        exif = exif_block(orientation)
        data = pil_file(image, format, exif=exif, dpi=(300, 150))
        expected = (300, 150) if orientation < 5 else (150, 300)
        assert read_photo(data).meta.dpi == pytest.approx(expected, abs=0.1)
        assert Image.open(io.BytesIO(data)).size == (9, 6)
