"""Tags of a TIFF or EXIF block as bytes, so that they can be written with their own types."""

from __future__ import annotations

import struct
from typing import NamedTuple, TypeAlias

from gatefill.images.damage import DamagedError
from gatefill.images.exif import SIZES, Block
from gatefill.images.meta import EXIF_IFD, GPS_IFD, INTEROP_IFD, LAYOUT_TAGS

BYTE, ASCII, SHORT, LONG, RATIONAL, UNDEFINED = 1, 2, 3, 4, 5, 7
XMP_TAG, IPTC_TAG = 700, 33723
_POINTERS = (EXIF_IFD, GPS_IFD, INTEROP_IFD)
_SLACK = 1 << 16  # bytes that tags may share


class Tag(NamedTuple):
    """A tag's value."""

    kind: int  # the TIFF type
    data: bytes  # in the byte order of its directory


Directory: TypeAlias = "dict[int, Tag | Directory]"
"""Values by tag; sub-directories (EXIF, GPS, interoperability) replace their pointers."""


def read_tags(block: Block) -> Directory:
    """Read the first directory of a block with its sub-directories.

    Raises DamagedError if the values are larger than the block: entries that share their bytes
    could use any amount of memory.
    """
    left = [len(block.data) + _SLACK]

    def read(entries: list[tuple[int, int, int, int]], depth: int) -> Directory:
        found: Directory = {}
        for tag, kind, value, size in entries:
            left[0] -= size
            if left[0] < 0:
                raise DamagedError("its tags claim more bytes than the file has")
            data = bytes(block.data[value : value + size])
            if tag in _POINTERS and kind in (LONG, 13) and depth < 2:
                (at,) = struct.unpack(block.order + "I", data[:4])
                try:
                    found[tag] = read(places(block, at), depth + 1)
                except IndexError:
                    continue
            else:
                found[tag] = Tag(kind, data)
        return found

    return read(places(block, block.first), 0)


def places(block: Block, at: int) -> list[tuple[int, int, int, int]]:
    """List (tag, type, position, bytes) of the directory at an offset, or raise IndexError."""
    try:
        entries = list(block.directory(at))
    except DamagedError as error:
        raise IndexError(at) from error
    return [(entry.tag, entry.kind, entry.value, entry.size) for entry in entries]


def without_layout(directory: Directory) -> Directory:
    """Drop the tags that describe how pixels are stored, and keep those about the photo."""
    return {tag: value for tag, value in directory.items() if tag not in LAYOUT_TAGS}


def write_tags(order: str, directory: Directory, at: int) -> bytes:
    """Encode a directory with its values and sub-directories for a position in a file.

    Args:
        order: Byte order of the tags, ``"<"`` or ``">"``.
        directory: The tags, at least one.
        at: The position in the file, an even number.
    """
    entries, body = b"", bytearray()
    start = at + 6 + 12 * len(directory)
    for tag in sorted(directory):
        value = directory[tag]
        body += bytes(len(body) % 2)
        here = start + len(body)
        if isinstance(value, dict):
            body += write_tags(order, value, here)
            value = Tag(LONG, struct.pack(order + "I", here))
        kind, data = value
        if len(data) > 4:
            body += data
            data = struct.pack(order + "I", here)
        count = len(value.data) // SIZES[kind]
        entries += struct.pack(order + "HHI", tag, kind, count) + data.ljust(4, b"\0")
    head = struct.pack(order + "H", len(directory)) + entries + bytes(4)
    return head + bytes(body)


def exif_block(order: str, directory: Directory) -> bytes:
    """Encode the directory as an EXIF block."""
    mark = b"II*\0" if order == "<" else b"MM\0*"
    return mark + struct.pack(order + "I", 8) + write_tags(order, directory, 8)
