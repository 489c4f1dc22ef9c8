"""Reads PNGs chunk by chunk, so that damage outside the pixels does not prevent reading."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from gatefill.images.source import ImageError

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PIXELS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT")  # the chunks that pixels depend on
# Short chunks that Pillow reads.
_KEPT = (b"eXIf", b"pHYs", b"gAMA", b"cHRM", b"sRGB", b"cICP")
_MAX_KEPT = 1 << 20
_MAX_PROFILE = 16 << 20  # largest decompressed size of a color profile, bytes
_STEP = 1 << 10  # bytes to decompress at a time
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
# Adam7: first row and column, steps
_PASSES = (
    *((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2)),
    (1, 0, 2, 1),
)


class Chunk(NamedTuple):
    """A chunk of a PNG."""

    kind: bytes
    data: bytes
    is_sound: bool  # the checksum is correct


@dataclass(frozen=True)
class PngFile:
    """A PNG reduced to the chunks that pixels depend on, and the content of other chunks."""

    parts: tuple[tuple[bytes, bytes], ...]  # chunks: kind and content, the header first
    width: int
    height: int
    depth: int  # bits per channel or palette index
    kind: int  # color type 0, 2, 3, 4 or 6
    is_interlaced: bool
    icc: bytes | None  # the color profile
    has_end: bool  # whether the end chunk is there
    left_out: tuple[str, ...]  # chunks that could not be read

    @property
    def data(self) -> bytes:
        """The reduced PNG as bytes."""
        body = b"".join(_chunk(kind, body) for kind, body in (*self.parts, (b"IEND", b"")))
        return SIGNATURE + body

    @property
    def raw_size(self) -> int:
        """Bytes of the pixel data after decompression, before the filters are undone."""
        bits = self.depth * _CHANNELS.get(self.kind, 4)
        passes = _PASSES if self.is_interlaced else ((0, 0, 1, 1),)
        sizes = [
            (-(-(self.height - row) // rows), -(-(self.width - column) // columns))
            for row, column, rows, columns in passes
        ]
        return sum(tall * (1 + -(-wide * bits // 8)) for tall, wide in sizes if min(tall, wide) > 0)

    def completed(self) -> tuple[PngFile, bool]:
        """Pad truncated pixel data with zeros; also return whether it was truncated."""
        packed = b"".join(body for kind, body in self.parts if kind == b"IDAT")
        found = _unpacked(packed, self.raw_size)
        if len(found) == self.raw_size:
            return self, False
        whole = zlib.compress(found.ljust(self.raw_size, b"\0"), 1)
        others = tuple(part for part in self.parts if part[0] != b"IDAT")
        return replace(self, parts=(*others, (b"IDAT", whole))), True


def chunks(data: bytes) -> Iterator[Chunk]:
    """Yield the chunks of a PNG file; the last one may be truncated."""
    at = len(SIGNATURE)
    while at + 8 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        kind, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        found = data[at + 8 + length : at + 12 + length]
        yield Chunk(kind, body, found == struct.pack(">I", zlib.crc32(kind + body)))
        at += 12 + length


def open_png(data: bytes, label: str) -> PngFile:
    """Split a PNG into chunks without decompressing its pixels.

    Texts of any length are skipped, and a color profile is decompressed up to a limit: neither is a
    reason to refuse a photo.

    Raises:
        ImageError: If the header or a chunk that pixels depend on is missing or damaged.
    """
    parts: list[tuple[bytes, bytes]] = []
    left_out: list[str] = []
    icc, has_end, broken = None, False, None
    for kind, body, is_sound in chunks(data):
        if kind == b"IEND":
            has_end = True
            break
        if broken is not None:
            raise _corrupt(label, f"broken {broken} chunk")
        if kind in _PIXELS:
            # A damaged chunk may be the last one of a truncated file.
            broken = None if is_sound else kind.decode()
            parts.append((kind, body))
        elif not is_sound:
            left_out.append(kind.decode("ascii", "replace"))
        elif kind == b"iCCP":
            icc = _profile(body)
            if icc is None:
                left_out.append("iCCP")
        elif kind in _KEPT and len(body) <= _MAX_KEPT:
            parts.append((kind, body))
    if broken and (has_end or broken != "IDAT"):
        raise _corrupt(label, f"broken {broken} chunk")
    if not parts or parts[0][0] != b"IHDR" or len(parts[0][1]) != 13:
        raise _corrupt(label, "no header")
    width, height, depth, color, _, _, interlacing = struct.unpack(">IIBBBBB", parts[0][1])
    return PngFile(
        tuple(parts), width, height, depth, color, interlacing == 1, icc, has_end, tuple(left_out)
    )


def _corrupt(label: str, what: str) -> ImageError:
    text = f"{label}: truncated or corrupt PNG ({what})"
    return ImageError(text, code="image.corrupt", name=label, kind="PNG")


def _chunk(kind: bytes, body: bytes) -> bytes:
    check = struct.pack(">I", zlib.crc32(kind + body))
    return struct.pack(">I", len(body)) + kind + body + check


def _profile(body: bytes) -> bytes | None:
    """Return the color profile in an iCCP chunk; None if it is damaged or far too large."""
    packed = body.partition(b"\0")[2][1:]
    decoder = zlib.decompressobj()
    try:
        found = decoder.decompress(packed, _MAX_PROFILE)
    except zlib.error:
        return None
    return found if found and decoder.eof else None


def _unpacked(packed: bytes, size: int) -> bytes:
    """Return up to `size` bytes of decompressed data."""
    decoder, parts = zlib.decompressobj(), [b""]
    try:
        # In steps, so that the data before the damage is kept.
        for start in range(0, len(packed), _STEP):
            rest = packed[start : start + _STEP]
            while rest and size and not decoder.eof:
                parts.append(decoder.decompress(rest, size))
                size -= len(parts[-1])
                rest = decoder.unconsumed_tail
    except zlib.error:
        pass
    return b"".join(parts)


def decode_deep(file: PngFile, info: dict[Any, Any], label: str) -> tuple[Any, Any]:
    """Decode color ``HWC`` and alpha ``HW`` (or None) of a 16-bit PNG, which Pillow rounds to 8.

    Args:
        file: The file from `open_png`; Pillow has decoded it once, so that it is known to be valid.
        info: The info dict of Pillow, for the transparent color.
        label: Name of the file in messages.

    Raises:
        ImageError: If the pixels cannot be decoded.
    """
    import cv2

    pixels = [part for part in file.parts if part[0] in _PIXELS]
    data = replace(file, parts=tuple(pixels)).data  # without chunks that libpng could reject
    found: Any = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if found is None or found.dtype != np.uint16 or found.shape[:2] != (file.height, file.width):
        raise _corrupt(label, "pixels of 16 bits")
    array = found.reshape(file.height, file.width, -1)
    color = array[..., :1] if file.kind in (0, 4) else array[..., 2::-1]  # BGR
    if file.kind in (4, 6):
        return np.ascontiguousarray(color), array[..., 3]
    if "transparency" not in info:
        return np.ascontiguousarray(color), None
    key = np.atleast_1d(np.asarray(info["transparency"], np.uint16))
    return color, np.where((color == key).all(axis=2), 0, 65535).astype(np.uint16)
