"""Finds the size of the frames inside an AVIF file without decoding it.

A container may declare 64 x 64 pixels and hold frames of 16384 x 16384, for which the decoder
allocates memory.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from itertools import islice

# Boxes that contain boxes, and the number of bytes before those.
_CONTAINERS = {b"meta": 4, b"moov": 0, b"trak": 0, b"mdia": 0, b"minf": 0, b"stbl": 0}
_DEEPEST = 5  # boxes around the box of a track's chunks
_MOST_PLACES = 4096  # largest number of places to search
_MOST_ZEROS = 31  # before a number of variable length (AV1, 4.10.3)
_SEQUENCE_HEADER = 1


def largest_frame(data: bytes) -> int:
    """Return the largest number of pixels of any AV1 sequence in the file; 0 if none is found."""
    most = 0
    for number, place in enumerate(_places(data)):
        if number >= _MOST_PLACES:
            break
        try:
            most = max(most, _frame_at(data, place))
        except IndexError:  # truncated, or not AV1: decoding reports it
            continue
    return most


def _boxes(data: bytes, start: int, stop: int, depth: int = 0) -> Iterator[tuple[bytes, int, int]]:
    """Yield kind, start and end of the boxes in a part of the file (ISO/IEC 14496-12, 4.2)."""
    while start + 8 <= stop:
        (size,) = struct.unpack_from(">I", data, start)
        kind, content = data[start + 4 : start + 8], start + 8
        if size == 1:
            if content + 8 > stop:
                return
            (size,) = struct.unpack_from(">Q", data, start + 8)
            content += 8
        end = stop if size == 0 else min(start + size, stop)
        if end < content:
            return
        if kind in _CONTAINERS and depth < _DEEPEST:
            yield from _boxes(data, content + _CONTAINERS[kind], end, depth + 1)
        yield kind, content, end
        start = end


def _places(data: bytes) -> Iterator[int]:
    """Yield the positions where items and chunks of tracks start."""
    found = (start for kind, start, _ in _boxes(data, 0, len(data)) if kind == b"idat")
    bodies = list(islice(found, _MOST_PLACES))
    try:
        for kind, start, end in _boxes(data, 0, len(data)):
            if kind == b"iloc":
                yield from _items(data, start, bodies)
            elif kind in (b"stco", b"co64"):
                letter, size = ("I", 4) if kind == b"stco" else ("Q", 8)
                (count,) = struct.unpack_from(">I", data, start + 4)
                for number in range(min(count, (end - start - 8) // size)):
                    yield struct.unpack_from(f">{letter}", data, start + 8 + number * size)[0]
    except (IndexError, struct.error):  # the file ends inside a box
        return


def _items(data: bytes, at: int, bodies: list[int]) -> Iterator[int]:
    """Yield the extents in an item location box (ISO/IEC 14496-12, 8.11.3).

    bodies: Where the contents of item data boxes start, from which offsets may count.
    """
    version = data[at]
    sizes = int.from_bytes(data[at + 4 : at + 6], "big")
    offset_size, length_size, base_size = sizes >> 12, sizes >> 8 & 15, sizes >> 4 & 15
    index_size = sizes & 15 if version else 0
    at += 6

    def number(size: int) -> int:
        nonlocal at
        if at + size > len(data):
            raise struct.error("cut off")
        at += size
        return int.from_bytes(data[at - size : at], "big")

    for _ in range(number(4 if version == 2 else 2)):
        number(4 if version == 2 else 2)  # item ID
        method = number(2) & 15 if version else 0
        number(2)  # data reference
        base = number(base_size)
        for _ in range(number(2)):
            number(index_size)
            offset = number(offset_size)
            number(length_size)
            if method < 2:  # 2: in other items
                yield from (origin + base + offset for origin in (bodies if method else [0]))


def _frame_at(data: bytes, at: int) -> int:
    """Return the pixels of the sequence with a header among the first units (AV1, 5.3 and 5.5)."""
    for _ in range(3):
        header = data[at]
        kind, has_extension, has_size = header >> 3 & 15, header >> 2 & 1, header >> 1 & 1
        at += 1 + has_extension
        size = shift = 0
        while has_size:
            byte = data[at]
            size |= (byte & 127) << shift
            at, shift = at + 1, shift + 7
            if byte < 128:
                break
        if kind == _SEQUENCE_HEADER:
            return _pixels(data, at)
        if not has_size:
            break
        at += size
    return 0


def _pixels(data: bytes, at: int) -> int:
    """Return width times height of the sequence header at a position."""
    place = 8 * at

    def bits(count: int) -> int:
        nonlocal place
        start, place = place, place + count
        if place > 8 * len(data):
            raise IndexError("cut off")
        part = int.from_bytes(data[start // 8 : -(-place // 8)], "big")
        return part >> -place % 8 & ((1 << count) - 1)

    bits(4)  # profile, still picture
    if bits(1):  # the short header of a still picture
        bits(5)
    else:
        delay = _timing(bits) if bits(1) else 0
        has_display_delay = bits(1)
        for _ in range(bits(5) + 1):
            bits(12)
            if bits(5) > 7:
                bits(1)
            if delay and bits(1):
                bits(2 * delay + 1)
            if has_display_delay and bits(1):
                bits(4)
    across, down = bits(4) + 1, bits(4) + 1
    return (bits(across) + 1) * (bits(down) + 1)


def _timing(bits: Callable[[int], int]) -> int:
    """Skip timing info; return the length of buffer delays, 0 without a decoder model."""
    bits(64)
    if bits(1):  # equal intervals; their length has a variable-length code
        zeros = 0
        while not bits(1):
            zeros += 1
            if zeros > _MOST_ZEROS:
                raise IndexError("a length that decoders refuse")
        bits(zeros)
    if not bits(1):
        return 0
    delay = bits(5) + 1
    bits(32 + 5 + 5)
    return delay
