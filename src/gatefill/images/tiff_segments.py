"""The strips and tiles of a TIFF, each inflated to its own size and no further.

A strip of three megabytes can unpack to gigabytes. What a strip must hold is known beforehand, so
that is all that is asked of it; one that holds much more is refused.
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

_SLACK = 4096  # bytes beyond its size that a strip may unpack to: writers pad
_DICTIONARY = 128 << 20  # bytes an LZMA decoder may take
_STEP = 1 << 20


@dataclass(frozen=True)
class TiffSegment:
    """A strip or tile: its compressed bytes, and the rows of bytes that are in it."""

    data: bytes
    width: int  # pixels
    rows: int
    row_bytes: int
    full_rows: int  # of the strips before it; the last may be padded to as many

    @property
    def size(self) -> int:
        return self.rows * self.row_bytes


def check_segment(segment: TiffSegment, compression: int, label: str) -> None:
    """Raise ImageError where a segment unpacks to much more than its rows.

    Nothing is kept of what is unpacked, and it ends with the first byte too many.
    """
    most = segment.full_rows * segment.row_bytes + _SLACK
    if compression in (_DEFLATE, _OLD_DEFLATE, _LZMA):
        found, decoder = 0, _decoder(compression)
        rest = segment.data
        while not decoder.eof:
            try:
                step = decoder.decompress(rest, _STEP)
            except (zlib.error, lzma.LZMAError):
                return  # whoever decodes it will say so
            rest = b"" if compression == _LZMA else decoder.unconsumed_tail
            found += len(step)
            if found > most:
                raise _too_large(label, most)
            if not step:
                return
    elif compression in (_LZW, _PACKBITS):
        # Neither makes data twice as long as it was.
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
    """The bytes of a segment, ``rows x row_bytes``, and whether some are missing, which are 0.

    No more is unpacked than they take.

    Args:
        segment: A strip or tile.
        compression: One of `READ`.
        label: What messages call the file.

    Raises:
        ImageError: There is much more than that.
    """
    found = _unpacked(segment, compression, label)
    is_short = len(found) < segment.size
    if is_short:
        found = found.ljust(segment.size, b"\0")
    return np.frombuffer(found, np.uint8).reshape(segment.rows, segment.row_bytes), is_short


def _unpacked(segment: TiffSegment, compression: int, label: str) -> bytes:
    """What there is of a segment's bytes, and no more than it must hold."""
    if compression == _NONE:
        return segment.data[: segment.size]
    if compression not in (_DEFLATE, _OLD_DEFLATE, _LZMA):
        check_segment(segment, compression, label)
        return _by_libtiff(segment, compression)
    decoder, size = _decoder(compression), segment.size
    parts: list[bytes] = []
    try:
        data = segment.data
        while size and not decoder.eof:
            parts.append(decoder.decompress(data, size))
            data = b"" if compression == _LZMA else decoder.unconsumed_tail
            size -= len(parts[-1])
            if not parts[-1]:
                break
        beyond = segment.full_rows * segment.row_bytes - segment.size + _SLACK
        if not decoder.eof and len(decoder.decompress(data, beyond + 1)) > beyond:
            raise _too_large(label, segment.size + beyond)
    except (zlib.error, lzma.LZMAError):
        pass  # what was unpacked until then is what there is
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _decoder(compression: int) -> Any:
    if compression == _LZMA:
        return lzma.LZMADecompressor(memlimit=_DICTIONARY)
    return zlib.decompressobj()


def _by_libtiff(segment: TiffSegment, compression: int) -> bytes:
    """Unpack through Pillow's libtiff, as the rows of an 8-bit gray TIFF.

    Compression is about bytes, whatever they mean: so this serves every depth, and libtiff unpacks
    no more than the rows it was told of.
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
    except Exception as error:  # it is damaged, or cut off
        if is_ours(error):
            raise
        return b""
    return image.tobytes()


def _zstd_size(data: bytes) -> int:
    """What a frame says it unpacks to (RFC 8878, 3.1.1.1); 0 where it does not say."""
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
