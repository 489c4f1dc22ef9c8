"""TIFF structures, as TIFF files and EXIF blocks have them, laid out entry by entry."""

from __future__ import annotations

import struct
from typing import TypeAlias

SIZES = {
    **{1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4},
    **{16: 8, 17: 8, 18: 8},  # BigTIFF
}
"""Bytes of a value by its type (TIFF 6.0, section 2)."""

Values: TypeAlias = "dict[int, tuple[int, int, bytes] | Values]"
"""By tag: the type, the number of values and their bytes; or a directory that the tag points to."""


def structure(order: str, *chain: Values, big: bool = False) -> bytes:
    """A chain of directories; the values of each lie before it.

    order: ``"<"`` or ``">"``. big: as a BigTIFF.
    """
    mark = b"II" if order == "<" else b"MM"
    link, number, inline = ("Q", "Q", 8) if big else ("I", "H", 4)
    out = bytearray(
        mark + struct.pack(order + ("HHHQ" if big else "HI"), *((43, 8, 0, 0) if big else (42, 0)))
    )

    def put(directory: Values) -> int:
        entries = b""
        for tag, value in sorted(directory.items()):
            if isinstance(value, dict):
                value = (4, 1, struct.pack(order + "I", put(value)))
            kind, count, data = value
            if len(data) > inline:
                at = len(out)
                out.extend(data + bytes(len(data) % 2))
                data = struct.pack(order + link, at)
            entries += struct.pack(f"{order}HH{link}", tag, kind, count) + data.ljust(inline, b"\0")
        at = len(out)
        out.extend(struct.pack(order + number, len(directory)) + entries + bytes(inline))
        return at

    pointer = len(out) - inline
    for each in chain:
        struct.pack_into(order + link, out, pointer, put(each))
        pointer = len(out) - inline
    return bytes(out)


def short(order: str, *values: int) -> tuple[int, int, bytes]:
    return 3, len(values), struct.pack(f"{order}{len(values)}H", *values)


def long(order: str, *values: int) -> tuple[int, int, bytes]:
    return 4, len(values), struct.pack(f"{order}{len(values)}I", *values)
