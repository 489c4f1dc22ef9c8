"""Parses TIFF directories without their values, to check what a file claims before reading it.

Reading values first could copy the bytes of a file once for each of 65,535 entries.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from gatefill.images.kinds import raw_refused
from gatefill.images.source import ImageError

SUBFILE, OLD_SUBFILE, WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC = (
    254,
    255,
    256,
    257,
    258,
    259,
    262,
)
FILL_ORDER, OFFSETS, SAMPLES, ROWS_PER_STRIP, BYTE_COUNTS, PLANAR = 266, 273, 277, 278, 279, 284
TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_BYTE_COUNTS = 322, 323, 324, 325
MAKE, SUB_DIRECTORIES, EXIF, GPS, INTEROP, DNG_VERSION = 271, 330, 34665, 34853, 40965, 50706

_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}
_SIZES |= {13: 4, 16: 8, 17: 8, 18: 8}
_INTEGERS = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}
_REDUCED, _MASK = 1, 4  # bits of NewSubfileType
_OLD_REDUCED = 2
_MAX_PAGES = 1000  # pages examined to find the photo
_MAX_OTHERS = 100  # sub-directories examined per page
_SLACK = 1 << 16  # bytes that entries may share
_CFA, _LINEAR_RAW = 32803, 34892
# Of Sony, Samsung, Nikon, Pentax.
_RAW_COMPRESSIONS = (32767, 32769, 32770, 34713, 65000, 65535)
_RAW_OF_MAKERS = {
    "nikon": "Nikon NEF",
    "sony": "Sony ARW",
    "pentax": "Pentax PEF",
    "ricoh": "Pentax PEF",
    "samsung": "Samsung SRW",
    "canon": "Canon raw",
    "hasselblad": "Hasselblad 3FR",
    "phase": "Phase One IIQ",
    "leaf": "Leaf MOS",
    "kodak": "Kodak DCR",
    "eastman": "Kodak DCR",
    "epson": "Epson ERF",
    "leica": "Leica raw",
    "olympus": "Olympus ORF",
    "panasonic": "Panasonic RW2",
}


@dataclass(frozen=True)
class Directory:
    """A TIFF directory: the position of each tag's values."""

    data: bytes
    order: str  # "<" or ">"
    offset: int
    entries: dict[int, tuple[int, int, int]] = field(default_factory=dict)  # type, count, position
    next: int = 0

    def entry(self, tag: int) -> tuple[int, int, int]:
        """Return a tag's type, number of values and their position; zeros if it is missing."""
        return self.entries.get(tag, (0, 0, 0))

    def integers(self, tag: int) -> tuple[int, ...]:
        """Return a tag's values; empty if it is missing, truncated or not of an integer type."""
        kind, count, at = self.entry(tag)
        if kind not in _INTEGERS or at + _SIZES[kind] * count > len(self.data):
            return ()
        return struct.unpack_from(f"{self.order}{count}{_INTEGERS[kind]}", self.data, at)

    def integer(self, tag: int, default: int = 0) -> int:
        """Return a tag's first value."""
        return next(iter(self.integers(tag)), default)

    def text(self, tag: int) -> str:
        """Return the text of an ASCII tag."""
        _, count, at = self.entry(tag)
        return self.data[at : at + count].decode("ascii", "replace").strip("\0 ")

    @property
    def is_photo(self) -> bool:
        """Whether it is an image at full resolution, not a preview or a transparency mask."""
        preview = self.integer(SUBFILE) & (_REDUCED | _MASK)
        return not preview and self.integer(OLD_SUBFILE) != _OLD_REDUCED


class Tiff:
    """The directories of a TIFF or an EXIF block, checked not to claim more bytes than there are.

    Raises:
        ImageError: If the values of all tags together are larger than the file.
        struct.error, IndexError: If its header is truncated.
    """

    def __init__(self, data: bytes, label: str) -> None:
        self.data, self.label = data, label
        self.order = "<" if data[:2] == b"II" else ">"
        self.is_big = data[2:4] in (b"+\0", b"\0+")
        first = struct.unpack_from(self.order + ("Q" if self.is_big else "I"), data, self._start)[0]
        self._left = len(data) + _SLACK
        self._seen: set[int] = set()
        self.pages = list(self._chain(first, _MAX_PAGES))
        self.others = [
            each
            for page in self.pages
            for tag in (SUB_DIRECTORIES, EXIF, GPS)
            for offset in page.integers(tag)[:_MAX_OTHERS]
            for each in self._chain(offset, 1)
        ]
        for each in self.others[:]:
            for offset in each.integers(INTEROP):
                self.others += self._chain(offset, 1)

    @property
    def _start(self) -> int:
        """Return the position in the header that holds the offset of the first directory."""
        return 8 if self.is_big else 4

    def _chain(self, offset: int, most: int) -> Iterator[Directory]:
        """Yield the chain of directories from `offset` on."""
        while offset and offset not in self._seen and most:
            self._seen.add(offset)
            found = self._directory(offset)
            if found is None:
                return
            yield found
            offset, most = found.next, most - 1

    def _directory(self, offset: int) -> Directory | None:
        data, order = self.data, self.order
        head, length, link = ("Q", 20, "Q") if self.is_big else ("H", 12, "I")
        layout = order + ("HHQ" if self.is_big else "HHI")
        try:
            (count,) = struct.unpack_from(order + head, data, offset)
        except struct.error:
            return None
        inline = 8 if self.is_big else 4
        start = offset + struct.calcsize(order + head)
        entries = {}
        for at in range(start, min(start + count * length, len(data) - length + 1), length):
            tag, kind, number = struct.unpack_from(layout, data, at)
            size = _SIZES.get(kind, 0) * number
            if not size:
                continue
            value = at + length - inline
            if size > inline:
                (value,) = struct.unpack_from(order + link, data, value)
            self._spend(length + max(min(size, len(data) - value), 0))
            entries[tag] = kind, number, value
        end = start + count * length
        following = 0
        if end + struct.calcsize(order + link) <= len(data):
            (following,) = struct.unpack_from(order + link, data, end)
        return Directory(data, order, offset, entries, following)

    def _spend(self, size: int) -> None:
        """Count the bytes of the file that an entry and its values use."""
        self._left -= size
        if self._left < 0:
            raise ImageError(
                f"{self.label}: truncated or corrupt TIFF (its tags claim more bytes than the "
                "file has)",
                code="image.bomb",
            )

    def refuse_raw(self) -> None:
        """Raise ImageError for a raw file of a camera, whose first page is only a preview."""
        everything = [*self.pages, *self.others]
        if any(DNG_VERSION in each.entries for each in self.pages):
            raise raw_refused(self.label, "DNG")
        for each in everything:
            if (
                each.integer(PHOTOMETRIC) in (_CFA, _LINEAR_RAW)
                or each.integer(COMPRESSION) in _RAW_COMPRESSIONS
            ):
                makers = [page.text(MAKE).lower().split() for page in self.pages]
                names = [_RAW_OF_MAKERS.get(words[0]) for words in makers if words]
                raise raw_refused(self.label, next(filter(None, names), "of a camera's sensor"))

    def photo(self) -> Directory:
        """Return the page to read: the first at full resolution, else the largest."""
        if not self.pages:
            raise ImageError(
                f"{self.label}: truncated or corrupt TIFF (it has no pages)",
                code="image.truncated",
                kind="TIFF",
            )
        largest = max(self.pages, key=lambda page: page.integer(WIDTH) * page.integer(HEIGHT))
        return next((page for page in self.pages if page.is_photo), largest)

    def beginning_with(self, page: Directory) -> bytes:
        """Return the file with its header changed so that `page` comes first."""
        if page is self.pages[0]:
            return self.data
        offset = struct.pack(self.order + ("Q" if self.is_big else "I"), page.offset)
        start = self._start
        return self.data[:start] + offset + self.data[start + len(offset) :]


def claims_too_much(exif: bytes) -> bool:
    """Return whether the tags of an EXIF block, with or without prefix, exceed its size."""
    try:
        Tiff(exif.removeprefix(b"Exif\0\0"), "EXIF")
    except ImageError:
        return True
    except (struct.error, IndexError):
        return False  # truncated: reading it finds no tags
    return False
