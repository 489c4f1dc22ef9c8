"""Strips and tiles of a TIFF: how many bytes each may unpack to, for every compression."""

from __future__ import annotations

import io
import lzma
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from gatefill.images import ImageError
from gatefill.images.tiff_segments import READ, TiffSegment, check_segment, decode_segment
from tests.images.helpers import noise, pil_file

NONE, LZW, JPEG, DEFLATE, OLD_DEFLATE, PACKBITS, LZMA, ZSTD = (
    *(1, 5, 7, 8, 32946, 32773),
    *(34925, 50000),
)
PADDING = 4096  # bytes that a strip may have more than its rows
PACK = {
    DEFLATE: zlib.compress,
    OLD_DEFLATE: zlib.compress,
    LZMA: lzma.compress,
    NONE: bytes,
}


def strip(data: bytes, rows: int = 5, full_rows: int | None = None) -> TiffSegment:
    """Rows of 7 bytes; other strips may have more of them."""
    return TiffSegment(data, 7, rows, 7, rows if full_rows is None else full_rows)


def is_refused(segment: TiffSegment, compression: int) -> bool:
    try:
        check_segment(segment, compression, "it")
    except ImageError as error:
        return error.code == "image.bomb"
    return False


def test_what_is_said_of_a_strip_that_unpacks_to_too_much() -> None:
    with pytest.raises(ImageError, match=r"it: .* to more than the 4,131 bytes that it") as found:
        check_segment(strip(zlib.compress(bytes(5000))), DEFLATE, "it")
    assert (found.value.code, found.value.values) == ("image.bomb", {"most": 4131})


@pytest.mark.parametrize("compression", [DEFLATE, OLD_DEFLATE, LZMA])
@pytest.mark.parametrize(("rows", "full_rows"), [(5, 5), (5, 11), (200_000, 200_000)])
def test_how_much_a_strip_may_unpack_to(rows: int, full_rows: int, compression: int) -> None:
    most = 7 * full_rows + PADDING
    values = np.resize(noise(1, 1000, 1), 7 * rows).tobytes()
    for size in (7 * rows, 7 * rows + 1, most - 1, most, most + 1, most + 5000):
        packed = PACK[compression](values.ljust(size, b"\0")[:size])
        segment = strip(packed, rows, full_rows)
        assert is_refused(segment, compression) == (size > most)
        if size <= most:
            found, is_short = decode_segment(segment, compression, "it")
            assert found.shape == (rows, 7)
            assert found.tobytes() == values
            assert not is_short
        else:
            with pytest.raises(ImageError, match="unpacks to more than"):
                decode_segment(segment, compression, "it")


@pytest.mark.parametrize("compression", [NONE, DEFLATE, LZMA])
def test_missing_bytes_are_zeros_and_said(compression: int) -> None:
    values = bytes(range(1, 36))
    for size in (0, 1, 34):
        found, is_short = decode_segment(strip(PACK[compression](values[:size])), compression, "it")
        assert is_short
        assert found.tobytes() == values[:size].ljust(35, b"\0")
    longer = PACK[compression](values + b"more")
    assert decode_segment(strip(longer), compression, "it")[0].tobytes() == values


@pytest.mark.parametrize("compression", [DEFLATE, LZMA])
@pytest.mark.parametrize("place", [6000, 15_000])
def test_bytes_before_damage_are_kept(place: int, compression: int) -> None:
    values = noise(1, 60_000, 1).ravel() // 16
    packed = PACK[compression](values.tobytes())
    damaged = packed[:place] + bytes(100) + packed[place + 100 :]
    segment = TiffSegment(damaged, 60_000, 1, 60_000, 1)
    check_segment(segment, compression, "it")  # decoding it says so
    found, _ = decode_segment(segment, compression, "it")
    assert (found[0, : place - 4200] == values[: place - 4200]).all()


@pytest.mark.parametrize("compression", [LZW, PACKBITS, ZSTD])
def test_compressions_that_libtiff_unpacks(compression: int) -> None:
    rows: Any = noise(21, 33, 1)[..., 0] // 64
    name = {LZW: "tiff_lzw", PACKBITS: "packbits", ZSTD: "zstd"}[compression]
    file = pil_file(Image.fromarray(rows), "TIFF", compression=name, tiffinfo={278: 21})
    tags = TiffImagePlugin.TiffImageFile(io.BytesIO(file)).tag_v2
    data = file[tags[273][0] : tags[273][0] + tags[279][0]]
    found, is_short = decode_segment(TiffSegment(data, 33, 21, 33, 21), compression, "it")
    assert (found == rows).all()
    assert not is_short
    fewer, _ = decode_segment(TiffSegment(data, 33, 9, 33, 21), compression, "it")
    assert (fewer == rows[:9]).all()
    broken, is_short = decode_segment(TiffSegment(b"\xff" * 9, 33, 21, 33, 21), compression, "it")
    assert is_short
    assert not broken.any()


@pytest.mark.parametrize("compression", [LZW, PACKBITS])
def test_data_that_does_not_grow_is_measured_as_it_is(compression: int) -> None:
    most = 2 * (7 * 11 + PADDING)
    assert not is_refused(strip(bytes(most), 5, 11), compression)
    assert is_refused(strip(bytes(most + 1), 5, 11), compression)


def zstd_frame(size: int, width: int, *, single: bool, dictionary: int) -> bytes:
    """The head of a frame that says its size in so many bytes (RFC 8878, 3.1.1.1)."""
    flags = {0: 0, 1: 0, 2: 1, 4: 2, 8: 3}[width] << 6 | single << 5 | dictionary
    head = b"\x28\xb5\x2f\xfd" + bytes([flags]) + b"\x58" * (not single)
    head += b"\x99" * (0, 1, 2, 4)[dictionary]
    return head + (size - 256 * (width == 2)).to_bytes(width, "little") + b"\xee" * 40


@pytest.mark.parametrize("dictionary", range(4))
@pytest.mark.parametrize(
    ("width", "single"), [(1, True), (2, True), (2, False), (4, True), (4, False), (8, False)]
)
def test_the_size_that_a_zstandard_frame_says(width: int, single: bool, dictionary: int) -> None:
    most = 7 * 5 + PADDING
    limit = 255 if width == 1 else most
    for size, refused in ((limit, False), (most + 1, True), (65_000, True)):
        if size < 256**width + 256 * (width == 2):
            data = zstd_frame(size, width, single=single, dictionary=dictionary)
            assert is_refused(strip(data), ZSTD) == refused
    if width == 1:  # at most 255 bytes: with rows of none, the padding is more than that
        assert not is_refused(strip(zstd_frame(255, 1, single=True, dictionary=0), 0), ZSTD)
    unsaid = zstd_frame(0, 0, single=False, dictionary=dictionary)
    assert not is_refused(strip(unsaid), ZSTD)


def test_what_is_no_zstandard_frame_says_no_size() -> None:
    frame = zstd_frame(1 << 40, 8, single=False, dictionary=0)
    assert is_refused(strip(frame[:18]), ZSTD)
    assert not is_refused(strip(frame[:17]), ZSTD)
    assert not is_refused(strip(b"\x29" + frame[1:]), ZSTD)


@pytest.mark.parametrize("marker", range(0xC0, 0xD0))
def test_a_jpeg_in_a_strip_is_not_larger_than_the_strip(marker: int) -> None:
    is_frame = marker not in (0xC4, 0xC8, 0xCC)
    for width, height, refused in ((7, 11, False), (8, 11, True), (7, 12, True), (3, 300, True)):
        frame = b"\x08" + struct.pack(">HH", height, width)
        data = b"\xff\xd8" + struct.pack(">BBH", 0xFF, marker, 7) + frame
        assert is_refused(strip(data, 5, 11), JPEG) == (refused and is_frame)
        short = b"\xff\xd8" + struct.pack(">BBH", 0xFF, marker, 6) + frame[:4]
        assert not is_refused(strip(short, 5, 11), JPEG)


def test_which_compressions_are_read() -> None:
    assert set(READ) == {NONE, LZW, DEFLATE, OLD_DEFLATE, PACKBITS, LZMA, ZSTD}
    array = np.arange(35, dtype=np.uint8).reshape(5, 7)
    assert (decode_segment(strip(array.tobytes()), NONE, "it")[0] == array).all()
