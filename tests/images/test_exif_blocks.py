"""EXIF blocks entry by entry: types, offsets, thumbnails wherever they lie, and damage."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from gatefill.images import read_photo
from gatefill.images.damage import DamagedError
from gatefill.images.exif import Block, orientation_in, upright, without_previews
from gatefill.images.tiff_tags import Tag, exif_block, read_tags
from tests.images.structures import SIZES, Values, long, short, structure
from tests.images.test_exif import jpeg_with

ORDERS = pytest.mark.parametrize("order", ["<", ">"])
PICTURE = b"\xff\xd8\xff\xe0 a small copy of the photo \xff\xd9"
MAKER: tuple[int, int, bytes] = (2, 6, b"Maker\0")
EXIF_IFD, GPS_IFD, INTEROP_IFD, MAKER_NOTE = 0x8769, 0x8825, 0xA005, 0x927C


def every_type(count: int) -> dict[int, tuple[int, int, bytes]]:
    """A tag of every type, with so many values of different bytes."""
    return {
        40_000 + kind: (kind, count, bytes((kind + at) % 256 for at in range(count * size)))
        for kind, size in SIZES.items()
        if kind <= 13
    }


@ORDERS
@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 70])
def test_values_of_every_type_are_read_and_written(order: str, count: int) -> None:
    values = every_type(count)
    unknown = {50_000 + kind: (kind, 2, b"12") for kind in (0, 14, 15, 99)}
    found = read_tags(Block(structure(order, {**values, **unknown})))
    assert found == {tag: Tag(kind, data) for tag, (kind, _, data) in values.items()}
    written = exif_block(order, found)
    assert read_tags(Block(written)) == found
    entries = Block(written).entries
    assert [entry.number for entry in entries] == [count] * len(values)
    assert [entry.tag for entry in entries] == sorted(values)
    # Values start at even positions, as TIFF demands (TIFF 6.0, section 2).
    assert all(entry.value % 2 == 0 for entry in entries)


@ORDERS
@pytest.mark.parametrize("kind", [1, 2, 5, 6, 7, 8, 9, 10, 11, 12])
def test_only_some_types_are_numbers(kind: int, order: str) -> None:
    block = Block(structure(order, {274: (kind, 1, bytes([0, 6]) * (SIZES[kind] // 2 or 1))}))
    assert block.integer(block.entries[0]) is None
    assert orientation_in(bytes(block.data)) == 1


@ORDERS
def test_orientations_of_every_value_and_type(order: str) -> None:
    for value in range(12):
        expected = value if 1 <= value <= 8 else 1
        for number in (short(order, value), long(order, value), (13, *long(order, value)[1:])):
            block = structure(order, {271: MAKER, 274: number, 305: MAKER})
            assert orientation_in(block) == expected
            turned = upright(block)
            assert orientation_in(turned) == 1
            if expected == 1:
                assert turned == block
            else:
                assert turned == structure(
                    order, {271: MAKER, 274: short_like(number, order), 305: MAKER}
                )
    assert orientation_in(None) == orientation_in(b"") == 1


def short_like(number: tuple[int, int, bytes], order: str) -> tuple[int, int, bytes]:
    """The number 1 of the type of another."""
    code = order + ("H" if number[0] == 3 else "I")
    return number[0], 1, struct.pack(code, 1)


@ORDERS
@pytest.mark.parametrize("orientation", range(1, 9))
def test_sizes_and_resolutions_are_swapped_with_the_sides(orientation: int, order: str) -> None:
    def values(first: int, second: int, turned: int) -> Values:
        return {
            256: short(order, 100 + first),
            257: long(order, 100 + second),
            274: short(order, turned),
            282: (5, 1, struct.pack(order + "2I", 200 + first, 1)),
            283: (5, 1, struct.pack(order + "2I", 200 + second, 1)),
            EXIF_IFD: {0xA002: long(order, 300 + first), 0xA003: long(order, 300 + second)},
        }

    found: Any = read_tags(Block(upright(structure(order, values(0, 1, orientation)))))
    expected: Any = read_tags(Block(structure(order, values(0, 1, 1))))
    if orientation >= 5:
        for tags, pair in (
            (expected, (256, 257)),
            (expected, (282, 283)),
            (expected[EXIF_IFD], (0xA002, 0xA003)),
        ):
            tags[pair[0]], tags[pair[1]] = tags[pair[1]], tags[pair[0]]
    assert found == expected
    alone = structure(order, {256: short(order, 7), 274: short(order, orientation)})
    assert read_tags(Block(upright(alone))) == read_tags(
        Block(structure(order, {256: short(order, 7), 274: short(order, 1)}))
    )


@ORDERS
def test_what_is_cut_off_is_damaged_or_left_out(order: str) -> None:
    block = structure(order, {271: MAKER, 274: short(order, 6)})
    start = struct.unpack_from(order + "I", block, 4)[0]
    for length in range(len(block)):
        if length < start + 2 + 12 + 8:
            with pytest.raises(DamagedError):
                Block(block[:length])
            assert without_previews(block[:length]) is None
        else:  # the value of the second entry is in it
            expected = [271, 274] if length >= start + 2 + 12 + 10 else [271]
            assert [entry.tag for entry in Block(block[:length]).entries] == expected
    # Values that end with the block are in it, those that end one byte later are not.
    far = bytearray(structure(order, {271: MAKER}))
    entry = Block(bytes(far)).entries[0].at
    for value, tags in ((len(far) - 6, [271]), (len(far) - 5, [])):
        struct.pack_into(order + "I", far, entry + 8, value)
        assert [each.tag for each in Block(bytes(far)).entries] == tags


def test_what_begins_otherwise_is_no_block() -> None:
    block = structure("<", {274: short("<", 3)})
    numbers = [block[:2] + bytes([number]) + block[3:] for number in (41, 43)]
    for other in (b"IM" + block[2:], b"MM" + block[2:], *numbers):
        with pytest.raises(DamagedError):
            Block(other)
    empty = b"II*\0\x08\0\0\0" + bytes(6)
    assert Block(empty).entries == []
    with pytest.raises(DamagedError):
        Block(empty[:-1])


def thumbnail(order: str, at: int, size: int | None, *, strips: bool = False) -> Values:
    """A directory that says where a small picture lies."""
    where, length = (273, 279) if strips else (513, 514)
    return {where: long(order, at)} | ({} if size is None else {length: long(order, size)})


def with_thumbnails(
    order: str, *, gap: int = 0, said: bool = True, strips: bool = False, count: int = 1
) -> tuple[bytes, int]:
    """A block with pictures at its end, after so many bytes, and where the first of them starts."""
    first: Values = {271: MAKER, EXIF_IFD: {MAKER_NOTE: (7, 5, b"notes")}, GPS_IFD: {2: MAKER}}

    def made(start: int) -> bytes:
        sizes = len(PICTURE) if said else None
        chain = [
            thumbnail(order, start + number * len(PICTURE), sizes, strips=strips)
            for number in range(count)
        ]
        return structure(order, first, *chain)

    start = len(made(0)) + gap
    return made(start) + b"\x55" * gap + PICTURE * count, start


@ORDERS
@pytest.mark.parametrize("strips", [False, True])
@pytest.mark.parametrize("said", [False, True])
@pytest.mark.parametrize("gap", [0, 1, 2, 3])
@pytest.mark.parametrize("after", [0, 1, 3, 4, 50])
def test_thumbnails_go_wherever_they_lie(
    after: int, gap: int, said: bool, strips: bool, order: str
) -> None:
    block, start = with_thumbnails(order, gap=gap, said=said, strips=strips)
    found = without_previews(block + b"\x77" * after)
    assert found is not None
    assert b"copy" not in found
    assert read_tags(Block(found)) == read_tags(Block(block))
    assert Block(found).next(Block(found).first) == 0
    if said and after > 3:  # what lies behind it stays where it is
        assert found[start:] == bytes(len(PICTURE)) + b"\x77" * after
    else:  # up to three bytes are padding
        assert len(found) == start
    assert found[start - gap : start] == b"\x55" * gap


@ORDERS
@pytest.mark.parametrize("count", [2, 8])
def test_every_thumbnail_of_a_chain_goes(count: int, order: str) -> None:
    block, start = with_thumbnails(order, count=count)
    found = without_previews(block)
    assert found is not None
    assert found[start:] == bytes((count - 1) * len(PICTURE))
    assert read_tags(Block(found)) == read_tags(Block(block))


def test_a_chain_without_end_is_left() -> None:
    block = bytearray(with_thumbnails("<")[0])
    second = Block(bytes(block)).next(Block(bytes(block)).first)
    struct.pack_into("<I", block, second + 2 + 24, second)  # after itself comes itself
    found = without_previews(bytes(block))
    assert found is not None
    assert b"copy" not in found


@ORDERS
def test_a_thumbnail_that_lies_in_tags_takes_none_with_it(order: str) -> None:
    def made(start: int, size: int) -> bytes:
        first: Values = {
            271: (2, 10, b"the maker\0"),
            EXIF_IFD: {0x9003: (2, 6, b"today\0"), MAKER_NOTE: (7, 5, b"notes")},
            GPS_IFD: {2: (5, 3, bytes(range(24)))},
        }
        return structure(order, first, thumbnail(order, start, size))

    whole = made(1, 1)
    block = Block(whole)
    used = set(range(8))
    for at, entries in (
        (block.first, block.entries),
        *(
            (block.integer(block.find(block.entries, tag)), block.sub_entries(tag))
            for tag in (EXIF_IFD, GPS_IFD)
        ),
    ):
        assert at is not None
        used |= set(range(at, at + 6 + 12 * len(entries)))
        for entry in entries:
            used |= set(range(entry.value, entry.value + entry.size))
    assert len(used) > 100
    for start in range(1, max(used) + 4):
        for size in (1, 2):
            data = made(start, size)
            found = without_previews(data)
            assert found is not None
            span = set(range(start, start + size))
            blanked = bytearray(data)
            pointer = block.first + 2 + 12 * len(block.entries)
            blanked[pointer : pointer + 4] = bytes(4)
            if not span & used:
                blanked[start : start + size] = bytes(size)
            assert found == bytes(blanked[: len(found)])
            assert read_tags(Block(found)) == read_tags(Block(data))


@ORDERS
def test_previews_in_a_maker_note_are_blanked(order: str) -> None:
    note = b"notes" + PICTURE + b"more" + PICTURE + b"tail"
    block = structure(order, {271: MAKER, EXIF_IFD: {MAKER_NOTE: (7, len(note), note)}})
    found = without_previews(block + PICTURE)
    assert found is not None
    tags: Any = read_tags(Block(found))
    assert tags[EXIF_IFD][MAKER_NOTE].data == b"notes".ljust(len(note) - 4, b"\0") + b"tail"
    assert found.endswith(PICTURE)  # no note: it is not known what that is
    cut = b"notes\xff\xd8\xff a picture without an end"
    block = structure(order, {EXIF_IFD: {MAKER_NOTE: (7, len(cut), cut)}})
    tags = read_tags(Block(without_previews(block) or b""))
    assert tags[EXIF_IFD][MAKER_NOTE].data == b"notes".ljust(len(cut), b"\0")


@ORDERS
def test_directories_inside_directories_are_read_to_the_second(order: str) -> None:
    inner: Values = {1: (2, 4, b"R98\0")}
    values: Values = {
        EXIF_IFD: {33434: (5, 1, bytes(range(8))), INTEROP_IFD: {**inner, GPS_IFD: inner}},
        GPS_IFD: {1: (2, 2, b"N\0")},
    }
    found: Any = read_tags(Block(structure(order, values)))
    assert found[GPS_IFD] == {1: Tag(2, b"N\0")}
    assert found[EXIF_IFD][INTEROP_IFD][1] == Tag(2, b"R98\0")
    assert found[EXIF_IFD][INTEROP_IFD][GPS_IFD].kind == 4  # a pointer as it is
    assert read_tags(Block(exif_block(order, found)))[EXIF_IFD][33434] == Tag(5, bytes(range(8)))  # type: ignore[index]


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")  # Pillow's
def test_a_pointer_out_of_the_block_is_left_out() -> None:
    block = structure("<", {271: MAKER, EXIF_IFD: long("<", 60_000), GPS_IFD: long("<", 0)})
    assert set(read_tags(Block(block))) == {271}
    assert read_photo(jpeg_with(block)).meta.exif is not None


@pytest.mark.parametrize(("more", "refused"), [(0, False), (1, True)])
def test_tags_may_claim_64_kb_more_than_there_are(more: int, refused: bool) -> None:
    data = bytearray(structure("<", {1: (7, 9, bytes(9)), 2: (7, 9, bytes(9)), 3: (7, 9, b"")}))
    data += bytes(65_536)
    entries = Block(bytes(data)).entries
    half = (len(data) + 65_536) // 2
    for entry, size in zip(entries, (half, len(data) + 65_536 - half + more), strict=False):
        struct.pack_into("<I", data, entry.at + 4, size)
        struct.pack_into("<I", data, entry.at + 8, 0)
    struct.pack_into("<I", data, entries[1].at + 12 + 4, 0)  # no values
    if refused:
        with pytest.raises(DamagedError, match="more bytes than the file has"):
            read_tags(Block(bytes(data)))
    else:
        assert set(read_tags(Block(bytes(data)))) == {1, 2}
