"""What an image file holds besides its pixels."""

from __future__ import annotations

from dataclasses import replace

from gatefill.errors import Warning
from gatefill.images.jpeg_segments import left_out
from gatefill.images.meta import Meta


def with_contents(meta: Meta, data: bytes, format: str) -> Meta:
    """`meta` with what the bytes of its file hold, and with warnings for what will be left out.

    Args:
        meta: What reading the pixels found.
        data: The file.
        format: Its format, as `decode` calls it.
    """
    found: list[Warning] = []
    if format == "JPEG":
        try:
            found += left_out(data, meta.name)
        except ValueError:  # cut off before its first scan
            return replace(meta, lossy=True)
        return replace(meta, lossy=True, jpeg=data, warnings=(*meta.warnings, *found))
    if format == "WebP":
        return replace(meta, lossy=is_lossy_webp(data))
    return meta


def is_lossy_webp(data: bytes) -> bool:
    """Whether the first picture in a WebP file is encoded with loss."""
    at = 12
    while at + 8 <= len(data):
        kind, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        if kind in (b"VP8 ", b"VP8L"):
            return kind == b"VP8 "
        # A frame's own chunks stand behind 16 bytes of its place.
        at += 24 if kind == b"ANMF" else 8 + size + size % 2
    return False
