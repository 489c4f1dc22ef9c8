"""The size of an image and its depth, from the header alone, up to the limits of each field."""

from __future__ import annotations

import struct
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from gatefill.images import ImageError, most_depth, read_photo, size_of
from tests.images.helpers import mode_image, pil_file, png_chunk, small_files
from tests.images.structures import long, short, structure


def vp8(width: int, height: int) -> bytes:
    frame = b"\x10\0\0\x9d\x01\x2a" + struct.pack("<HH", width | 0x4000, height | 0x8000)
    return b"RIFF\x40\0\0\0WEBPVP8 \x20\0\0\0" + frame + bytes(20)


def vp8l(width: int, height: int) -> bytes:
    bits = width - 1 | height - 1 << 14 | 0xF << 28
    return b"RIFF\x40\0\0\0WEBPVP8L\x20\0\0\0\x2f" + struct.pack("<I", bits) + bytes(20)


def vp8x(width: int, height: int) -> bytes:
    sides = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return b"RIFF\x40\0\0\0WEBPVP8X\x0a\0\0\0\xff\xff\xff\xff" + sides + bytes(20)


def gif(width: int, height: int) -> bytes:
    return b"GIF89a" + struct.pack("<HH", width, height) + b"\xff" * 9


def png(width: int, height: int) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + png_chunk(b"IEND", b"")


def bmp(width: int, height: int) -> bytes:
    data = bytearray(pil_file(mode_image("RGB"), "BMP"))
    data[18:26] = struct.pack("<ii", width, height)
    return bytes(data)


def jpeg(width: int, height: int) -> bytes:
    data = bytearray(pil_file(mode_image("RGB"), "JPEG"))
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = struct.pack(">HH", height, width)
    return bytes(data)


def tiff(order: str, big: bool, wide: bool) -> Callable[[int, int], bytes]:
    def make(width: int, height: int) -> bytes:
        number = long if wide else short
        page = {256: number(order, width), 257: number(order, height), 258: short(order, 8)}
        return structure(order, page, big=big)

    return make


HEADERS: dict[str, tuple[Callable[[int, int], bytes], int]] = {
    "VP8": (vp8, 14),
    "VP8L": (vp8l, 14),
    "VP8X": (vp8x, 24),
    "GIF": (gif, 16),
    "PNG": (png, 31),
    "BMP": (bmp, 31),
    "JPEG": (jpeg, 16),
    "PNM": (lambda width, height: b"P5 %d %d 255\n" % (width, height), 30),
    **{
        f"TIFF {order} {big} {wide}": (tiff(order, big, wide), 31 if wide else 16)
        for order in "<>"
        for big in (False, True)
        for wide in (False, True)
    },
}
"""By kind of header: how to make one, and how many bits its sides have."""


@pytest.mark.parametrize("kind", HEADERS)
def test_every_bit_of_a_side_is_read(kind: str) -> None:
    make, bits = HEADERS[kind]
    for bit in range(bits):
        # 14 bits of a lossless WebP are one less than the side.
        for side in {1 << bit, (1 << bit) + 1, (1 << bits) - 1}:
            if side < 1 << bits:
                assert size_of(make(side, 3)) == (side, 3)
                assert size_of(make(5, side)) == (5, side)


@pytest.mark.parametrize(("make", "most"), [(vp8l, 1 << 14), (vp8x, 1 << 24)])
def test_a_side_that_is_stored_less_one_may_be_a_power_of_two(
    make: Callable[[int, int], bytes], most: int
) -> None:
    assert size_of(make(most, 1)) == (most, 1)
    assert size_of(make(1, most)) == (1, most)


@pytest.mark.parametrize(("name", "data"), list(small_files()))
def test_a_file_says_what_size_and_depth_its_photo_has(name: str, data: bytes) -> None:
    photo = read_photo(data)
    # EXIF turns the photo, which the size as stored leaves out.
    assert size_of(data) == (photo.size if photo.meta.orientation < 5 else photo.size[::-1])
    assert most_depth(data) >= photo.pixels.itemsize
    certain = name.endswith((".png", ".jpg", ".webp", ".bmp", ".gif"))
    assert most_depth(data) == (photo.pixels.itemsize if certain else 2)


def test_a_damaged_header_is_the_users() -> None:
    for data in (vp8l(5, 5)[:22], gif(5, 5)[:8], jpeg(5, 5)[:100], b"BM" + bytes(9)):
        with pytest.raises(ImageError, match=r"mine: truncated or corrupt") as found:
            size_of(data, "mine")
        assert found.value.code == "image.corrupt"


def test_the_limit_of_pixels_is_allowed_itself() -> None:
    data = pil_file(Image.fromarray(np.zeros((30, 40, 3), np.uint8)), "PNG")
    assert read_photo(data, max_pixels=1200).size == (40, 30)
    with pytest.raises(ImageError, match=r"40 x 30 = 1,200 pixels.*limit of 1,199") as found:
        read_photo(data, max_pixels=1199)
    assert found.value.code == "image.pixels"
    assert found.value.values == {"width": 40, "height": 30, "max_pixels": 1199}
    assert read_photo(np.zeros((1, 1), np.uint8)).size == (1, 1)
    assert read_photo(pil_file(Image.new("L", (1, 1)), "PNG")).size == (1, 1)
    for width, height in ((0, 3), (3, 0)):
        with pytest.raises(ImageError, match=f"at least one pixel, got {width} x {height}") as none:
            read_photo(png(width, height))
        assert none.value.code == "image.size"
