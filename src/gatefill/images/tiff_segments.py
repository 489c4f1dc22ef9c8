"""Decompresses strips and tiles of a TIFF, never to more than their known size.

A strip of three megabytes can decompress to gigabytes. The size of a strip is known beforehand, so
only that many bytes are decompressed; a strip with many more is refused.
"""

from __future__ import annotations

import io
import lzma
import struct
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import TiffImagePlugin

from gatefill.images.damage import is_ours
from gatefill.images.jpeg_segments import FRAMES, segments
from gatefill.images.source import ImageError
from gatefill.images.tiff_directory import (
    BITS,
    BYTE_COUNTS,
    COMPRESSION,
    HEIGHT,
    OFFSETS,
    PHOTOMETRIC,
    ROWS_PER_STRIP,
    SAMPLES,
    WIDTH,
)

_NONE, _LZW, _JPEG, _DEFLATE, _OLD_DEFLATE, _PACKBITS = 1, 5, 7, 8, 32946, 32773
_LZMA, _ZSTD = 34925, 50000
READ = (_NONE, _LZW, _DEFLATE, _OLD_DEFLATE, _PACKBITS, _LZMA, _ZSTD)
"""The compressions that can be read."""

_SLACK = 4096  # bytes of padding that some writers add to a strip
_DICTIONARY = 128 << 20  # memory of an LZMA decoder, bytes
_STEP, _SMALL_STEP = 1 << 20, 1 << 12  # bytes to decompress at a time


@dataclass(frozen=True)
class TiffSegment:
    """A strip or tile: its compressed bytes, and the size of its rows."""

    data: bytes
    width: int  # pixels
    rows: int
    row_bytes: int
    full_rows: int  # rows of the other strips; the last strip may be padded to as many

    @property
    def size(self) -> int:
        return self.rows * self.row_bytes


def check_segment(segment: TiffSegment, compression: int, label: str) -> None:
    """Raise ImageError if a segment decompresses to many more bytes than its rows have.

    The decompressed data is discarded, and decompression stops at the first byte too many.
    """
    most = segment.full_rows * segment.row_bytes + _SLACK
    if compression in (_DEFLATE, _OLD_DEFLATE, _LZMA):
        found, decoder = 0, _decoder(compression)
        rest = segment.data
        while not decoder.eof:
            try:
                step = decoder.decompress(rest, _STEP)
            except (zlib.error, lzma.LZMAError):
                return  # decoding it reports the error
            rest = b"" if compression == _LZMA else decoder.unconsumed_tail
            found += len(step)
            if found > most:
                raise _too_large(label, most)
            if not step:
                return
    elif compression in (_LZW, _PACKBITS):
        # Neither of these compressions doubles the size of data.
        if len(segment.data) > 2 * most:
            raise _too_large(label, most)
    elif compression == _ZSTD and _zstd_size(segment.data) > most:
        raise _too_large(label, most)
    elif compression == _JPEG:
        for found, _, content in segments(segment.data):
            if found in FRAMES and len(content) > 4:
                height, width = struct.unpack_from(">HH", content, 1)
                if width > segment.width or height > segment.full_rows:
                    raise _too_large(label, most)


def decode_segment(
    segment: TiffSegment, compression: int, label: str
) -> tuple[NDArray[np.uint8], bool]:
    """Decompress a segment to ``rows x row_bytes``; also return whether bytes are missing.

    Missing bytes are 0. No more bytes than needed are decompressed.

    Args:
        segment: A strip or tile.
        compression: One of `READ`.
        label: Name of the file in messages.

    Raises:
        ImageError: If the segment has many more bytes.
    """
    found = _unpacked(segment, compression, label)
    is_short = len(found) < segment.size
    if is_short:
        found = found.ljust(segment.size, b"\0")
    return np.frombuffer(found, np.uint8).reshape(segment.rows, segment.row_bytes), is_short


def _unpacked(segment: TiffSegment, compression: int, label: str) -> bytes:
    """Return the decompressed bytes that there are, at most as many as needed."""
    if compression == _NONE:
        return segment.data[: segment.size]
    if compression not in (_DEFLATE, _OLD_DEFLATE, _LZMA):
        check_segment(segment, compression, label)
        return _by_libtiff(segment, compression)
    decoder, left = _decoder(compression), segment.size
    parts: list[bytes] = []
    at, rest = 0, b""
    try:
        # In steps, so that the bytes before damage are kept.
        while left and not decoder.eof:
            if not rest:
                rest, at = segment.data[at : at + _SMALL_STEP], at + _SMALL_STEP
            parts.append(decoder.decompress(rest, left))
            rest = b"" if compression == _LZMA else decoder.unconsumed_tail
            left -= len(parts[-1])
            if not parts[-1] and at >= len(segment.data):
                break
        beyond = segment.full_rows * segment.row_bytes - segment.size + _SLACK
        rest += segment.data[at:]
        if not decoder.eof and len(decoder.decompress(rest, beyond + 1)) > beyond:
            raise _too_large(label, segment.size + beyond)
    except (zlib.error, lzma.LZMAError):
        pass
    return b"".join(parts)


def _decoder(compression: int) -> Any:
    if compression == _LZMA:
        return lzma.LZMADecompressor(memlimit=_DICTIONARY)
    return zlib.decompressobj()


def _by_libtiff(segment: TiffSegment, compression: int) -> bytes:
    """Decompress with Pillow's libtiff, as the rows of an 8-bit gray TIFF.

    Compression works on bytes, so that this is right for every bit depth; libtiff decompresses only
    as many rows as declared.
    """
    tags = {
        WIDTH: segment.row_bytes,
        HEIGHT: segment.rows,
        BITS: 8,
        COMPRESSION: compression,
        PHOTOMETRIC: 1,
        OFFSETS: 0,
        SAMPLES: 1,
        ROWS_PER_STRIP: segment.rows,
        BYTE_COUNTS: len(segment.data),
    }
    tags[OFFSETS] = 8 + 2 + 12 * len(tags) + 4
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    head = struct.pack("<2sHIH", b"II", 42, 8, len(tags)) + entries + struct.pack("<I", 0)
    try:
        image = TiffImagePlugin.TiffImageFile(io.BytesIO(head + segment.data))
        image.load()
    except Exception as error:  # damaged or truncated
        if is_ours(error):
            raise
        return b""
    return image.tobytes()


def _zstd_size(data: bytes) -> int:
    """Return the decompressed size that a frame declares (RFC 8878, 3.1.1.1); 0 for none."""
    if not data.startswith(b"\x28\xb5\x2f\xfd") or len(data) < 18:
        return 0
    flags = data[4]
    is_single = bool(flags & 0x20)
    width = (1 if is_single else 0, 2, 4, 8)[flags >> 6]
    start = 5 + (not is_single) + (0, 1, 2, 4)[flags & 3]
    size = int.from_bytes(data[start : start + width], "little")
    return size + 256 if width == 2 else size


def _too_large(label: str, most: int) -> ImageError:
    return ImageError(
        f"{label}: truncated or corrupt TIFF (a strip or tile of it unpacks to more than the "
        f"{most:,} bytes that it may hold)",
        code="image.bomb",
        most=most,
    )
