"""Where an AVIF file says that its frames are, and what size they say they have."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import features

from gatefill.images import ImageError, read_photo
from gatefill.images.avif_size import largest_frame
from tests.images.helpers import mode_image, pil_file

BOX = 8  # bytes before the content of a box


def box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", BOX + len(content), kind) + content


def frame(width: int, height: int) -> bytes:
    """A unit with the header of an AV1 sequence, in its short form for still pictures."""
    across, down = max((width - 1).bit_length(), 1), max((height - 1).bit_length(), 1)
    fields = [(0, 3), (1, 1), (1, 1), (9, 5), (across - 1, 4), (down - 1, 4)]
    fields += [(width - 1, across), (height - 1, down), (1, 1)]
    return unit(1, packed(fields))


def packed(fields: list[tuple[int, int]]) -> bytes:
    """Numbers of so many bits, one after the other."""
    bits = "".join(f"{int(value):0{count}b}" for value, count in fields if count)
    return int(bits.ljust(-(-len(bits) // 8) * 8, "0"), 2).to_bytes(-(-len(bits) // 8), "big")


def unit(kind: int, body: bytes, *, extended: bool = False, sized: bool = True) -> bytes:
    """An open bitstream unit (AV1, 5.3)."""
    head = bytes([kind << 3 | extended << 2 | sized << 1]) + bytes([0xFF] * extended)
    size, length = b"", len(body)
    while sized and length > 127:
        size, length = size + bytes([length & 127 | 128]), length >> 7
    return head + (size + bytes([length]) if sized else b"") + body


def located(
    *items: list[int], version: int, sizes: tuple[int, int, int, int], **said: Any
) -> bytes:
    """An item location box of items with the offsets of their extents (14496-12, 8.11.3)."""
    method, base = said.get("method", 0), said.get("base", 0)
    offset_size, length_size, base_size, index_size = sizes
    wide = ">I" if version == 2 else ">H"
    body = bytes([version, 1, 1, 1, offset_size << 4 | length_size, base_size << 4 | index_size])
    body += struct.pack(wide, len(items))
    for number, offsets in enumerate(items):
        body += struct.pack(wide, number + 1)
        body += struct.pack(">H", 0x7FF0 | method) if version else b""
        body += b"\0\0" + base.to_bytes(base_size, "big") + struct.pack(">H", len(offsets))
        for offset in offsets:
            body += b"\x7f" * (index_size if version else 0)
            body += (offset - base).to_bytes(offset_size, "big") + b"\x7f" * length_size
    return box(b"iloc", body)


@given(st.integers(1, 65536), st.integers(1, 65536))
@example(1, 1)
@example(65536, 65536)
@example(2, 32769)
def test_any_size_is_read(width: int, height: int) -> None:
    meta = box(b"meta", bytes(4) + located([0], version=0, sizes=(4, 4, 0, 0)))
    start = len(meta)
    meta = box(b"meta", bytes(4) + located([start], version=0, sizes=(4, 4, 0, 0)))
    assert largest_frame(meta + frame(width, height)) == width * height


@pytest.mark.parametrize("version", [0, 1, 2])
@pytest.mark.parametrize("sizes", [(4, 4, 0, 0), (8, 0, 4, 4), (2, 8, 8, 8), (4, 2, 2, 3)])
def test_the_extents_of_items_are_found(sizes: tuple[int, int, int, int], version: int) -> None:
    frames = [frame(1, 5), frame(300, 20), frame(7, 11), frame(40, 2)]
    for largest in range(4):
        order = [*frames[:largest], frame(999, 777), *frames[largest + 1 :]]
        starts = [BOX + 3 + sum(map(len, order[:number])) for number in range(4)]
        place = located(
            [starts[0]],
            starts[1:3],
            [starts[3]],
            version=version,
            sizes=sizes,
            base=2 if sizes[2] else 0,
        )
        file = box(b"free", b"\0\0\0" + b"".join(order)) + box(b"meta", bytes(4) + place)
        assert largest_frame(file) == 999 * 777


@pytest.mark.parametrize(("method", "expected"), [(0, 0), (1, 61 * 45), (2, 0)])
def test_items_may_stand_in_a_box_of_item_data(method: int, expected: int) -> None:
    place = located([5], version=1, sizes=(4, 4, 2, 0), method=method, base=2)
    data = box(b"idat", b"\0\0\0\0\0" + frame(61, 45))
    assert largest_frame(box(b"meta", bytes(4) + place + data)) == expected
    assert largest_frame(box(b"meta", bytes(4) + data + place)) == expected
    decoy = box(b"idat", b"\x0a\x01\0" * 9)
    assert largest_frame(decoy + box(b"meta", bytes(4) + data + place)) == expected


@pytest.mark.parametrize("kind", [b"stco", b"co64"])
def test_the_chunks_of_a_track_are_found(kind: bytes) -> None:
    frames = [frame(30, 20), frame(5, 5), frame(10, 90)]
    for largest in range(3):
        order = [*frames[:largest], frame(1000, 3), *frames[largest + 1 :]]
        content = box(b"mdat", b"".join(order))
        starts = [BOX + sum(map(len, order[:number])) for number in range(3)]
        letter = "I" if kind == b"stco" else "Q"
        table = box(kind, bytes(4) + struct.pack(f">I3{letter}", 3, *starts))
        for around in (b"stbl", b"minf", b"mdia", b"trak", b"moov"):
            table = box(b"free", b"\0") + box(around, table)
        assert largest_frame(content + table) == 3000
        # A count beyond the box reads no further than the box.
        more = table.replace(bytes(4) + struct.pack(">I", 3), bytes(4) + struct.pack(">I", 1 << 31))
        assert largest_frame(content + more) == 3000


def test_sizes_of_boxes_have_three_forms() -> None:
    place = located([BOX], version=0, sizes=(4, 4, 0, 0))
    content = box(b"mdat", frame(500, 4))
    plain = box(b"meta", bytes(4) + place)
    long = struct.pack(">I4sQ", 1, b"meta", 20 + len(place)) + bytes(4) + place
    rest = struct.pack(">I4s", 0, b"meta") + bytes(4) + place
    for meta in (plain, long, rest):
        assert largest_frame(content + meta) == 2000
        assert largest_frame(content + meta + bytes(3)) == 2000
    # After a long box, the next one is found; a box shorter than its header ends the search.
    skipped = struct.pack(">I4sQ", 1, b"free", 19) + b"abc"
    assert largest_frame(content + skipped + plain) == 2000
    for size in range(2, BOX):
        assert largest_frame(content + struct.pack(">I4s", size, b"free") + plain) == 0
    for cut in range(8):  # a long size that is cut off
        behind = struct.pack(">I4sQ", 1, b"free", 16)[: BOX + cut]
        assert largest_frame(content + plain + behind) == 2000
    assert largest_frame(content + struct.pack(">I4sQ", 1, b"free", 16) + plain) == 2000
    empty = struct.pack(">I4s", BOX, b"free")
    assert largest_frame(content + empty + plain) == 2000


def test_boxes_that_hold_each_other_end() -> None:
    place = located([BOX], version=0, sizes=(4, 4, 0, 0))
    content = box(b"mdat", frame(500, 4))
    found = []
    for depth in range(8):
        nested = place
        for _ in range(depth):
            nested = box(b"moov", nested)
        found.append(largest_frame(content + nested))
    assert found == [2000] * 6 + [0] * 2
    for _ in range(3000):
        nested = box(b"moov", nested)
    assert largest_frame(content + nested + place) == 2000


def at_start(units: bytes) -> int:
    """The pixels that are found in units at the start of an item."""
    content = box(b"mdat", units)
    return largest_frame(content + located([BOX], version=0, sizes=(4, 4, 0, 0)))


@pytest.mark.parametrize("extended", [False, True])
@pytest.mark.parametrize("before", [0, 1, 2])
@pytest.mark.parametrize("length", [0, 1, 127, 128, 129, 300, 20_000])
def test_a_sequence_stands_among_the_first_units(length: int, before: int, extended: bool) -> None:
    other = unit(5, b"\x0a" * length, extended=extended)
    assert at_start(other * before + frame(320, 200)) == 64_000
    assert at_start(other * 3 + frame(320, 200)) == 0


def test_units_without_a_size_are_the_last() -> None:
    header = frame(320, 200)[2:]
    assert at_start(unit(1, header, sized=False)) == 64_000
    assert at_start(unit(1, header, sized=False, extended=True)) == 64_000
    assert at_start(unit(5, b"", sized=False) + frame(320, 200)) == 0
    assert at_start(unit(9, header)) == 0  # a kind with other bits, too


def sequence_header(
    width: int, height: int, *, timing: bool, equal: int, delay: int, display: bool, points: int
) -> bytes:
    """A unit with the header of a sequence, with all that may come before sizes.

    equal: the picture interval, 0 for none. delay: bits of buffer delays, 0 without a decoder
    model. points: operating points, every other one of a high level.
    """
    fields = [(0, 3), (0, 1), (0, 1), (timing, 1)]  # profile, still picture, short header
    if timing:
        fields += [(1, 32), (30, 32), (equal > 0, 1)]
        if equal:
            fields += [(0, equal.bit_length() - 1), (1, 1)]
            fields += [(equal - (1 << equal.bit_length() - 1), equal.bit_length() - 1)]
        fields += [(delay > 0, 1)]
        if delay:
            fields += [(delay - 1, 5), (7, 32), (delay - 1, 5), (delay - 1, 5)]
    fields += [(display, 1), (points - 1, 5)]
    for number in range(points):
        fields += [(0, 12), (8, 5), (1, 1)] if number % 2 else [(0, 12), (7, 5)]
        if timing and delay:
            fields += [(1, 1), ((1 << delay) - 1, delay), (5 % (1 << delay), delay), (0, 1)]
        fields += [(1, 1), (9, 4)] if display else []
    fields += [(11, 4), (12, 4), (width - 1, 12), (height - 1, 13), (0, 16)]
    return b"\x12\0" + unit(1, packed(fields))


@pytest.mark.parametrize("display", [False, True])
@pytest.mark.parametrize("points", [1, 3, 32])
@pytest.mark.parametrize(
    ("timing", "equal", "delay"),
    [
        *((False, 0, 0), (True, 0, 0), (True, 1, 0), (True, 6, 0), (True, 2**31, 0)),
        *((True, 0, 1), (True, 2, 10), (True, 2**32 - 1, 32)),
    ],
)
def test_the_size_stands_behind_whatever_a_sequence_says(
    timing: bool, equal: int, delay: int, points: int, display: bool
) -> None:
    header = sequence_header(
        3001, 2017, timing=timing, equal=equal, delay=delay, points=points, display=display
    )
    assert at_start(header) == 3001 * 2017


def test_an_interval_that_decoders_refuse_is_not_read_on() -> None:
    header = sequence_header(3001, 2017, timing=True, equal=2**32, delay=0, points=1, display=False)
    assert at_start(header) == 0


def test_a_header_that_is_cut_off_counts_for_nothing() -> None:
    file = box(b"free", b"") + located([BOX], version=0, sizes=(4, 4, 0, 0))
    file = located([len(file) - BOX], version=0, sizes=(4, 4, 0, 0))
    whole = frame(3, 65535)
    for length in range(len(whole) - 1):  # the last byte is padding
        assert largest_frame(file + whole[:length]) == 0
    assert largest_frame(file + whole) == 3 * 65535
    even = frame(1 << 15, 1 << 15)[:-1]  # its sizes end with a byte
    assert largest_frame(file + even) == 1 << 30
    assert largest_frame(file + even[:-1]) == 0


def test_places_that_are_cut_off_are_none() -> None:
    content = box(b"mdat", frame(500, 4))
    # What is left of the last number would be the right place.
    for table in (
        located([BOX << 8], version=0, sizes=(4, 0, 0, 0)),
        located([BOX << 8], version=0, sizes=(4, 4, 0, 0))[:-4],
        box(b"stco", bytes(4) + struct.pack(">II", 1, BOX << 8)),
        box(b"co64", bytes(4) + struct.pack(">IQ", 1, BOX << 8)),
    ):
        for length in range(len(table)):
            assert largest_frame(content + table[:length]) == 0


def test_a_file_of_many_places_is_searched_in_part() -> None:
    for number, expected in ((4095, 2000), (4096, 0)):
        table = [BOX + 4] * number + [BOX]
        data = box(b"mdat", frame(500, 4))
        data += box(b"stco", bytes(4) + struct.pack(f">I{len(table)}I", len(table), *table))
        assert largest_frame(data) == expected


@pytest.mark.skipif(not features.check("avif"), reason="needs Pillow with AVIF")
def test_hidden_frames_and_endless_boxes_in_a_real_file() -> None:
    data = pil_file(mode_image("RGB", 64, 64), "AVIF")
    nested = b""
    for _ in range(3000):
        nested = box(b"moov", nested)
    for behind in (nested, b"\0\0\0\1free"):
        assert read_photo(data + behind).size == (64, 64)
    with pytest.raises(ImageError, match="holds frames of 4,000,000 pixels"):
        read_photo(moved_into_item_data(pil_file(mode_image("L", 2000, 2000), "AVIF")))


def moved_into_item_data(data: bytes) -> bytes:
    """The file with its pixels in the box of item data, and 64 x 64 for its size."""
    at = data.index(b"iloc") - 4
    old = struct.unpack_from(">I", data, at)[0]
    (start, length) = struct.unpack_from(">II", data, at + 22)
    place = bytes([1, 0, 0, 0, 0x44, 0]) + struct.pack(">HHHHHII", 1, 1, 1, 0, 1, 0, length)
    meta = data.index(b"meta") - 4
    end = meta + struct.unpack_from(">I", data, meta)[0]
    content = data[meta + 8 : at] + box(b"iloc", place) + data[at + old : end]
    size = content.index(b"ispe") + 8
    content = content[:size] + struct.pack(">II", 64, 64) + content[size + 8 :]
    return data[:meta] + box(b"meta", content + box(b"idat", data[start : start + length]))
