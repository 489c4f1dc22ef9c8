"""Tags of a TIFF or an EXIF block as bytes, to be written elsewhere with the types they have."""

from __future__ import annotations

import struct
from typing import NamedTuple, TypeAlias

from gatefill.images.damage import DamagedError
from gatefill.images.exif import SIZES, Block
from gatefill.images.meta import EXIF_IFD, GPS_IFD, INTEROP_IFD, LAYOUT_TAGS

BYTE, ASCII, SHORT, LONG, RATIONAL, UNDEFINED = 1, 2, 3, 4, 5, 7
XMP_TAG, IPTC_TAG = 700, 33723
_POINTERS = (EXIF_IFD, GPS_IFD, INTEROP_IFD)
_SLACK = 1 << 16  # bytes that tags may share with each other


class Tag(NamedTuple):
    """A tag's value."""

    kind: int  # the TIFF type
    data: bytes  # in the byte order of its directory


Directory: TypeAlias = "dict[int, Tag | Directory]"
"""Values by tag; a sub-directory (EXIF, GPS, interoperability) stands in its pointer's place."""


def read_tags(block: Block) -> Directory:
    """The first directory of a block with its sub-directories.

    Raises DamagedError where the values are larger than the block: entries that share their bytes
    would take any amount of memory.
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
    """(tag, type, position, bytes) of the directory at an offset. Raises IndexError for none."""
    try:
        entries = list(block.directory(at))
    except DamagedError as error:
        raise IndexError(at) from error
    return [(entry.tag, entry.kind, entry.value, entry.size) for entry in entries]


def without_layout(directory: Directory) -> Directory:
    """What says something about the photo and nothing about how its file stores pixels."""
    return {tag: value for tag, value in directory.items() if tag not in LAYOUT_TAGS}


def write_tags(order: str, directory: Directory, at: int) -> bytes:
    """A directory with its values and sub-directories, to stand at an offset of a file.

    Args:
        order: ``"<"`` or ``">"``, that of the tags' bytes.
        directory: Not empty.
        at: An even offset.
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
    """The directory as an EXIF block."""
    mark = b"II*\0" if order == "<" else b"MM\0*"
    return mark + struct.pack(order + "I", 8) + write_tags(order, directory, 8)
