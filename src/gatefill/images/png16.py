"""Encodes PNGs with 16 bits per channel, which Pillow can do for gray only."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

_COLOR_TYPE = {1: 0, 2: 4, 3: 2, 4: 6}  # channels -> gray, gray + alpha, RGB, RGBA
_FILTER_UP = 2
_ROWS = 256  # rows to compress at a time, to save memory


def encode_png16(
    image: NDArray[np.uint16],
    *,
    icc: bytes | None = None,
    exif: bytes | None = None,
    dpi: tuple[float, float] | None = None,
) -> bytes:
    """Encode ``HWC`` uint16 with 1 to 4 channels as PNG (PNG specification, third edition)."""
    height, width, channels = image.shape
    header = struct.pack(">IIBBBBB", width, height, 16, _COLOR_TYPE[channels], 0, 0, 0)
    chunks = [_chunk(b"IHDR", header)]
    if icc:
        chunks.append(_chunk(b"iCCP", b"ICC Profile\0\0" + zlib.compress(icc)))
    if dpi:
        per_meter = [round(part / 0.0254) for part in dpi]
        chunks.append(_chunk(b"pHYs", struct.pack(">IIB", *per_meter, 1)))
    if exif:
        chunks.append(_chunk(b"eXIf", exif))
    chunks.append(_chunk(b"IDAT", _compressed_rows(image)))
    chunks.append(_chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def _compressed_rows(image: NDArray[np.uint16]) -> bytes:
    """Compress rows as bytewise differences to the row above, each after its filter number."""
    height = image.shape[0]
    squeeze = zlib.compressobj(5, strategy=zlib.Z_FILTERED)
    parts = []
    above = np.zeros((1, image[0].size * 2), np.uint8)
    for start in range(0, height, _ROWS):
        rows = image[start : start + _ROWS].astype(">u2")
        plain = rows.reshape(len(rows), -1).view(np.uint8)
        filtered = np.empty((len(plain), plain.shape[1] + 1), np.uint8)
        filtered[:, 0] = _FILTER_UP
        filtered[:, 1:] = plain - np.concatenate([above, plain[:-1]])
        above = plain[-1:]
        parts.append(squeeze.compress(filtered.data))
    parts.append(squeeze.flush())
    return b"".join(parts)


def with_chunks(data: bytes, chunks: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Insert chunks after the header of a PNG file."""
    head = 8 + 25  # signature and IHDR
    return data[:head] + b"".join(_chunk(*chunk) for chunk in chunks) + data[head:]


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
