"""PNGs part by part: sizes of pixel data of every kind, damage, profiles and what is written."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from gatefill.images import ImageError, Meta, Photo, read_photo
from gatefill.images.png_read import open_png
from tests.images.helpers import SRGB, noise, png16_file, png_chunk

CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
KINDS = [(0, depth) for depth in (1, 2, 4, 8, 16)] + [(3, depth) for depth in (1, 2, 4, 8)]
KINDS += [(kind, depth) for kind in (2, 4, 6) for depth in (8, 16)]
# First row and column, and steps, of each pass (PNG specification, 8.1).
ADAM7 = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2)]
ADAM7 += [(0, 1, 2, 2), (1, 0, 2, 1)]
SIGNATURE = b"\x89PNG\r\n\x1a\n"


def head(width: int, height: int, depth: int, kind: int, interlaced: bool = False) -> bytes:
    fields = (width, height, depth, kind, 0, 0, interlaced)
    return SIGNATURE + png_chunk(b"IHDR", struct.pack(">IIBBBBB", *fields))


def raw(width: int, height: int, bits: int, interlaced: bool) -> bytes:
    """Pixel data of zeros, each row after its filter, as many bytes as there are to be."""
    out = b""
    for top, left, down, right in ADAM7 if interlaced else [(0, 0, 1, 1)]:
        across = len(range(left, width, right))
        if across:
            out += bytes(1 + (across * bits + 7) // 8) * len(range(top, height, down))
    return out


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize(("kind", "depth"), KINDS)
def test_how_much_data_the_pixels_need(kind: int, depth: int, interlaced: bool) -> None:
    for width, height in [(side, 9) for side in range(1, 19)] + [
        (9, side) for side in range(1, 19)
    ]:
        rows = raw(width, height, depth * CHANNELS[kind], interlaced)
        png = open_png(head(width, height, depth, kind, interlaced), "it")
        assert png.raw_size == len(rows)
        assert (png.width, png.height, png.depth, png.kind) == (width, height, depth, kind)
        for data, is_cut in ((rows, False), (rows[:-1], True)):
            part = png_chunk(b"IDAT", zlib.compress(data))
            found = open_png(head(width, height, depth, kind, interlaced) + part, "it")
            completed, was_cut = found.completed()
            assert was_cut == is_cut
            packed = b"".join(body for name, body in completed.parts if name == b"IDAT")
            assert zlib.decompress(packed) == rows


def test_data_behind_the_damage_is_not_read() -> None:
    array = noise(64, 64, 3)
    rows = b"".join(b"\0" + row.tobytes() for row in array)
    packed = bytearray(zlib.compress(rows, 0))
    data = head(64, 64, 8, 2) + png_chunk(b"IDAT", bytes(packed))
    whole = read_photo(data)
    assert [each.code for each in whole.meta.warnings] == ["file.no_end"]
    assert (whole.pixels == array).all()
    several = head(64, 64, 8, 2) + b"".join(
        png_chunk(b"IDAT", bytes(packed[at : at + 999])) for at in range(0, len(packed), 999)
    )
    assert (read_photo(several).pixels == array).all()
    for cut in (1, 500, 5000):
        photo = read_photo(data[: -4 - cut], allow_truncated=True)
        flat, expected = photo.pixels.ravel(), array.ravel()
        same = (len(rows) - cut) * 192 // 193 - 200
        assert (flat[:same] == expected[:same]).all()
        codes = [each.code for each in photo.meta.warnings]
        assert codes == ["file.truncated" if cut > 4 else "file.no_end"]


def test_pixels_before_damage_are_kept_where_the_end_is_missing() -> None:
    array = noise(64, 64, 3)
    packed = bytearray(zlib.compress(b"".join(b"\0" + row.tobytes() for row in array)))
    packed[6000:6100] = bytes(100)
    data = head(64, 64, 8, 2) + png_chunk(b"IDAT", bytes(packed))
    photo = read_photo(data[:-4] + b"none", allow_truncated=True)
    assert (photo.pixels[:22] == array[:22]).all()


@pytest.mark.parametrize("name", [b"IHDR", b"PLTE", b"tRNS", b"IDAT"])
def test_damaged_chunks_of_the_pixels_are_refused(name: bytes) -> None:
    chunks = {
        b"PLTE": bytes(range(12)),
        b"tRNS": bytes([9, 255, 255, 255]),
        b"IDAT": zlib.compress(raw(5, 4, 8, False)),
    }
    data = head(5, 4, 8, 3) + b"".join(png_chunk(*each) for each in chunks.items())
    data += png_chunk(b"IEND", b"")
    assert read_photo(data).size == (5, 4)
    at = data.index(name)
    length = struct.unpack(">I", data[at - 4 : at])[0]
    damaged = data[: at + 4 + length] + bytes([data[at + 4 + length] ^ 1]) + data[at + 5 + length :]
    with pytest.raises(ImageError, match=f"broken {name.decode()} chunk") as found:
        read_photo(damaged)
    assert found.value.code == "image.corrupt"
    for header in (data[:8] + data[33:], data[:8] + png_chunk(b"IHDR", bytes(12)) + data[33:]):
        with pytest.raises(ImageError, match="no header"):
            read_photo(header)


def test_profiles_and_other_chunks_up_to_a_limit() -> None:
    pixels = png_chunk(b"IDAT", zlib.compress(raw(5, 4, 8, False))) + png_chunk(b"IEND", b"")
    start = head(5, 4, 8, 0)

    def profile(data: bytes, cut: int = 0) -> bytes:
        packed = zlib.compress(data)
        return png_chunk(b"iCCP", b"a name\0\0" + packed[: len(packed) - cut])

    assert open_png(start + profile(SRGB) + pixels, "it").icc == SRGB
    for broken in (profile(SRGB, 9), profile(bytes(17 << 20)), png_chunk(b"iCCP", b"name\0\0?")):
        png = open_png(start + broken + pixels, "it")
        assert (png.icc, png.left_out) == (None, ("iCCP",))
    longest, longer = png_chunk(b"eXIf", bytes(1 << 20)), png_chunk(b"eXIf", bytes((1 << 20) + 1))
    assert [kind for kind, _ in open_png(start + longest + pixels, "it").parts] == [
        *(b"IHDR", b"eXIf", b"IDAT")
    ]
    assert [kind for kind, _ in open_png(start + longer + pixels, "it").parts] == [
        *(b"IHDR", b"IDAT")
    ]
    assert open_png(start + pixels, "it").has_end
    assert not open_png(start + pixels[:-12], "it").has_end


@pytest.mark.parametrize(("kind", "channels"), [(0, 1), (2, 3)])
def test_a_transparent_color_of_16_bits_is_compared_whole(kind: int, channels: int) -> None:
    array = np.zeros((4, 3, channels), np.uint16)
    array[1, 1] = [0x1234, 0x5678, 0x9ABC][:channels]
    for row, channel in enumerate(range(channels), 2):
        if row < 4:
            array[row, 1] = array[1, 1]
            array[row, 1, channel] ^= 1
    key = array[1, 1].astype(">u2").tobytes()
    photo = read_photo(png16_file(array, kind, png_chunk(b"tRNS", key)))
    expected = np.full((4, 3), 65535)
    expected[1, 1] = 0
    assert photo.alpha is not None
    assert (photo.alpha == expected).all()
    assert (photo.pixels == array).all()


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("height", [1, 255, 256, 257, 600])
def test_16_bits_are_written_as_opencv_reads_them(height: int, channels: int) -> None:
    array = noise(height, 5, channels, np.uint16)
    color = channels - (channels in (2, 4))
    alpha = array[..., -1] if color < channels else None
    meta = Meta(dpi=(300, 96.5), icc=SRGB)
    data = Photo(array[..., :color], alpha, meta).to_bytes("png")
    found: Any = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    found = found.reshape(height, 5, -1)
    assert found.dtype == np.uint16
    if channels == 2:  # which OpenCV widens
        assert (found[..., 0] == array[..., 0]).all()
        assert (found[..., 3] == array[..., 1]).all()
    elif channels == 1:
        assert (found == array).all()
    else:
        order = [2, 1, 0, 3][:channels]
        assert (found == array[..., order]).all()
    image = Image.open(io.BytesIO(data))
    image.verify()
    assert image.info["icc_profile"] == SRGB
    at = data.index(b"pHYs")
    assert struct.unpack(">IIB", data[at + 4 : at + 13]) == (11811, 3799, 1)
    assert struct.unpack(">IIBBBBB", data[16:29]) == (
        *(5, height, 16, {1: 0, 2: 4, 3: 2, 4: 6}[channels], 0, 0, 0),
    )
