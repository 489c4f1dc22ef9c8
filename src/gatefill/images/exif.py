"""Edits EXIF blocks in place: everything else keeps its bytes, types and positions.

Offsets inside a maker note count from the start of the block, so nothing may move. A block is a
TIFF structure that starts with ``II`` or ``MM``, without the ``Exif`` prefix.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from gatefill.images.damage import DamagedError
from gatefill.images.meta import EXIF_IFD, GPS_IFD, ORIENTATION

SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_SHORT, _LONG = 3, 4
_PIXEL_WIDTH, _PIXEL_HEIGHT, _MAKER_NOTE = 0xA002, 0xA003, 0x927C
_WIDTH, _HEIGHT, _X_RESOLUTION, _Y_RESOLUTION = 256, 257, 282, 283
_STRIPS, _STRIP_SIZES, _JPEG, _JPEG_SIZE = 273, 279, 513, 514
_MOST_DIRECTORIES = 8
_PICTURE = b"\xff\xd8\xff"


class ExifEntry(NamedTuple):
    """An entry of a TIFF directory."""

    tag: int
    kind: int  # the TIFF type, 1 to 13
    number: int  # number of values
    at: int  # where the entry's 12 bytes start
    value: int  # where its value starts
    size: int  # bytes of the value


class Block:
    """A TIFF structure in memory, whose entries can be found and changed in place."""

    def __init__(self, data: bytes) -> None:
        """Raises DamagedError if the first directory cannot be read."""
        self.data = bytearray(data)
        self.order = {b"II": "<", b"MM": ">"}.get(data[:2], "")
        if not self.order or len(data) < 14 or self._number(2, _SHORT) != 42:
            raise DamagedError("expected a TIFF structure")
        self.first = self._number(4, _LONG)
        self.entries = list(self.directory(self.first))

    def _number(self, at: int, kind: int) -> int:
        if at + SIZES[kind] > len(self.data):
            raise DamagedError("a directory ends too early")
        (number,) = struct.unpack_from(self.order + ("H" if kind == _SHORT else "I"), self.data, at)
        return int(number)

    def directory(self, at: int) -> Iterator[ExifEntry]:
        """Yield the entries of a directory, except those with values outside the block.

        at: Offset of the directory.

        Raises DamagedError if the directory itself is outside.
        """
        for number in range(self._number(at, _SHORT)):
            place = at + 2 + 12 * number
            tag, kind = self._number(place, _SHORT), self._number(place + 2, _SHORT)
            count = self._number(place + 4, _LONG)
            size = SIZES.get(kind, 0) * count
            value = place + 8 if size <= 4 else self._number(place + 8, _LONG)
            if size and value + size <= len(self.data):
                yield ExifEntry(tag, kind, count, place, value, size)

    def next(self, at: int) -> int:
        """Return the offset of the directory after the one at an offset; 0 if it is the last."""
        return self._number(self._next_place(at), _LONG)

    def _next_place(self, at: int) -> int:
        return at + 2 + 12 * self._number(at, _SHORT)

    def end_chain(self, at: int) -> None:
        """Make the directory at an offset the last one."""
        struct.pack_into(self.order + "I", self.data, self._next_place(at), 0)

    def find(self, entries: list[ExifEntry], tag: int) -> ExifEntry | None:
        """Return the first entry with that tag; None without one."""
        return next((entry for entry in entries if entry.tag == tag), None)

    def integer(self, entry: ExifEntry | None) -> int | None:
        """Return the first value of a SHORT or LONG entry; None for other types."""
        if entry is None or entry.kind not in (_SHORT, _LONG, 13):
            return None
        return self._number(entry.value, _SHORT if entry.kind == _SHORT else _LONG)

    def set_integer(self, entry: ExifEntry, number: int) -> None:
        """Replace the first value of a SHORT or LONG entry."""
        code = "H" if entry.kind == _SHORT else "I"
        struct.pack_into(self.order + code, self.data, entry.value, number)

    def swap(self, one: ExifEntry | None, other: ExifEntry | None) -> None:
        """Exchange type, count and value of two entries, but not their tags."""
        if one is None or other is None:
            return
        first, second = self.data[one.at + 2 : one.at + 12], self.data[other.at + 2 : other.at + 12]
        self.data[one.at + 2 : one.at + 12] = second
        self.data[other.at + 2 : other.at + 12] = first

    def sub_entries(self, tag: int) -> list[ExifEntry]:
        """Return the entries of the sub-directory that a tag of the first directory points to."""
        at = self.integer(self.find(self.entries, tag))
        try:
            return [] if at is None else list(self.directory(at))
        except DamagedError:
            return []


def orientation_in(block: bytes | None) -> int:
    """Return the orientation in an EXIF block, 1 to 8; 1 if it is missing or invalid."""
    try:
        found = Block(block or b"")
        value = found.integer(found.find(found.entries, ORIENTATION))
    except DamagedError:
        return 1
    return value if value is not None and 1 <= value <= 8 else 1


def upright(block: bytes) -> bytes:
    """Adapt a block to rotated pixels: orientation 1, sizes and resolutions swapped if needed."""
    orientation = orientation_in(block)
    if orientation == 1:
        return block
    found = Block(block)
    entry = found.find(found.entries, ORIENTATION)
    assert entry is not None
    found.set_integer(entry, 1)
    if orientation >= 5:
        for entries, pair in (
            (found.entries, (_WIDTH, _HEIGHT)),
            (found.entries, (_X_RESOLUTION, _Y_RESOLUTION)),
            (found.sub_entries(EXIF_IFD), (_PIXEL_WIDTH, _PIXEL_HEIGHT)),
        ):
            found.swap(*(found.find(entries, tag) for tag in pair))
    return bytes(found.data)


def without_previews(block: bytes) -> bytes | None:
    """Remove the thumbnail, and previews in the maker note; None if the block is damaged.

    They would still show what was removed from the photo.
    """
    try:
        found = Block(block)
        end = _blank_thumbnail(found)
    except DamagedError:
        return None
    maker_note = found.find(found.sub_entries(EXIF_IFD), _MAKER_NOTE)
    if maker_note is not None:
        _blank_jpegs(found.data, maker_note.value, maker_note.value + maker_note.size)
    return bytes(found.data[:end])


def _blank_thumbnail(found: Block) -> int:
    """Unlink the directories after the first and blank their images; return the block's end.

    The second directory is that of the thumbnail, with a JPEG or with strips of pixels.
    """
    end, spans = len(found.data), _spans(found)
    try:
        at = found.next(found.first)
        found.end_chain(found.first)
        for _ in range(_MOST_DIRECTORIES):
            if at == 0:
                break
            entries = list(found.directory(at))
            for start_tag, size_tag in ((_JPEG, _JPEG_SIZE), (_STRIPS, _STRIP_SIZES)):
                start = found.integer(found.find(entries, start_tag)) or 0
                size = found.integer(found.find(entries, size_tag))
                # If its size is missing, it extends to the next known offset.
                after = min([span[0] for span in spans if span[0] >= start], default=end)
                stop = min(start + size, end) if size else after
                # If the thumbnail overlaps the tags, blanking it would destroy them.
                if 0 < start < stop and not any(start < b and a < stop for a, b in spans):
                    found.data[start:stop] = bytes(stop - start)
                    end = start if stop >= end - 3 else end
            at = found.next(at)
    except DamagedError:  # some programs write a pointer or directory that is cut off
        pass
    return end


def _spans(found: Block) -> list[tuple[int, int]]:
    """Return (start, stop) of the parts that the first directory and its sub-directories use."""
    parts = [(found.first, found.entries)]
    for tag in (EXIF_IFD, GPS_IFD):
        at = found.integer(found.find(found.entries, tag))
        if at is not None:
            parts.append((at, found.sub_entries(tag)))
    spans = [(0, 8)]
    for at, entries in parts:
        spans.append((at, at + 6 + 12 * len(entries)))
        spans += [(entry.value, entry.value + entry.size) for entry in entries]
    return spans


def _blank_jpegs(data: bytearray, start: int, stop: int) -> None:
    while (start := data.find(_PICTURE, start, stop)) >= 0:
        end = data.rfind(b"\xff\xd9", start, stop)
        end = stop if end < 0 else end + 2
        data[start:end] = bytes(end - start)
        start = end
