"""TIFF directories entry by entry: types, previews, raw files, limits."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from gatefill.images import ImageError, read_photo, size_of
from gatefill.images.tiff_directory import Tiff, claims_too_much
from tests.images.structures import SIZES, Values, long, short, structure

LAYOUTS = pytest.mark.parametrize(
    ("order", "big"), [("<", False), (">", False), ("<", True), (">", True)]
)
INTEGERS = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}
SHARED = 1 << 16  # bytes that tags may claim more than there are


def page(order: str, width: int = 5, height: int = 4, **_: Any) -> Values:
    return {256: short(order, width), 257: short(order, height)}


@LAYOUTS
@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 8, 9])
def test_values_of_every_type_are_found(count: int, order: str, big: bool) -> None:
    values: Values = {
        40_000 + kind: (kind, count, bytes((16 * kind + at) % 256 for at in range(count * size)))
        for kind, size in SIZES.items()
        if big or kind < 16
    }
    unknown: Values = {50_000 + kind: (kind, 2, b"12") for kind in (0, 14, 15, 99)}
    data = structure(order, values | unknown, big=big)
    (found,) = Tiff(data, "it").pages
    assert len(found.entries) == len(values)
    for tag, (kind, number, at) in found.entries.items():
        content: Any = values[tag]
        assert (kind, number) == content[:2]
        assert data[at : at + count * SIZES[kind]] == content[2]
        if kind in INTEGERS:
            expected = struct.unpack(f"{order}{count}{INTEGERS[kind]}", content[2])
            assert found.integers(tag) == expected
            assert found.integer(tag) == expected[0]
        else:
            assert found.integers(tag) == ()
            assert found.integer(tag, 7) == 7


def test_values_that_are_cut_off_are_none() -> None:
    data = bytearray(structure("<", {700: long("<", 1, 2, 3), 701: (2, 9, b" a text\0\0")}))
    (found,) = Tiff(bytes(data), "it").pages
    assert found.text(701) == "a text"
    assert found.text(9) == ""
    entry = found.offset + 2
    for at, expected in ((len(data) - 12, 3), (len(data) - 11, 0)):
        struct.pack_into("<I", data, entry + 8, at)
        assert len(Tiff(bytes(data), "it").pages[0].integers(700)) == expected


@LAYOUTS
def test_a_file_may_end_before_the_link_to_the_next_page(order: str, big: bool) -> None:
    for extra in range(0, 40, 2):
        data = structure(order, page(order) | {700: (7, 9 + extra, bytes(9 + extra))}, big=big)
        for cut in range(9 if big else 5):
            (found,) = Tiff(data[: len(data) - cut], "it").pages
            assert sorted(found.entries) == [256, 257, 700]
            assert found.next == 0


@pytest.mark.parametrize("order", ["<", ">"])
def test_which_pages_are_photos(order: str) -> None:
    for kind in range(8):
        for old in range(4):
            values = page(order) | {254: long(order, kind), 255: short(order, old)}
            (found,) = Tiff(structure(order, values), "it").pages
            assert found.is_photo == (not kind & 1 and not kind & 4 and old != 2)


@LAYOUTS
def test_the_photo_is_the_first_page_that_is_one_else_the_largest(order: str, big: bool) -> None:
    sizes = [(9, 2), (5, 4), (3, 7), (2, 8)]
    for photos, expected in (
        ((), 2),
        ((0,), 0),
        ((1, 3), 1),
        ((3,), 3),
    ):
        chain = [
            page(order, *size) | {254: long(order, int(number not in photos))}
            for number, size in enumerate(sizes)
        ]
        data = structure(order, *chain, big=big)
        tiff = Tiff(data, "it")
        assert tiff.photo() is tiff.pages[expected]
        assert size_of(data) == sizes[expected]
        first = Tiff(tiff.beginning_with(tiff.photo()), "it").pages[0]
        assert (first.integer(256), first.integer(257)) == sizes[expected]
        assert len(tiff.beginning_with(tiff.photo())) == len(data)
        assert tiff.beginning_with(tiff.pages[0]) is data


def test_a_chain_of_pages_ends() -> None:
    chain = [page("<", width=number + 1) for number in range(1003)]
    assert len(Tiff(structure("<", *chain), "it").pages) == 1000
    looped = bytearray(structure("<", *chain[:3]))
    pages = Tiff(bytes(looped), "it").pages
    struct.pack_into("<I", looped, pages[2].offset + 2 + 24, pages[1].offset)
    assert [each.integer(256) for each in Tiff(bytes(looped), "it").pages] == [1, 2, 3]
    with pytest.raises(ImageError, match="has no pages") as found:
        read_photo(b"II*\0" + bytes(4))
    assert found.value.code == "image.truncated"
    assert Tiff(b"II*\0\x09\0\0\0\0", "it").pages == []  # a directory that is cut off


@LAYOUTS
def test_directories_that_tags_point_to_are_found(order: str, big: bool) -> None:
    inner: Values = {1: (2, 4, b"R98\0")}
    values = page(order) | {
        0x8769: {33434: long(order, 5), 40965: inner},
        0x8825: {3: short(order, 8)},
        330: page(order, 77),
    }
    tiff = Tiff(structure(order, values, big=big), "it")
    tags = [sorted(each.entries) for each in tiff.others]
    assert sorted(tags) == [[1], [3], [256, 257], [33434, 40965]]


def test_a_hundred_directories_of_a_page_are_examined() -> None:
    start = len(structure("<", page("<") | {330: long("<", *range(102))}))
    small = struct.pack("<H", 1) + struct.pack("<HHII", 256, 3, 1, 9) + bytes(4)
    places = [start + number * len(small) for number in range(102)]
    data = structure("<", page("<") | {330: long("<", *places)}) + small * 102
    assert len(Tiff(data, "it").others) == 100


@LAYOUTS
@pytest.mark.parametrize("kind", SIZES)
def test_all_tags_together_may_claim_64_kb_more_than_the_file_has(
    kind: int, order: str, big: bool
) -> None:
    if kind >= 16 and not big:
        return
    entry = 20 if big else 12
    data = bytearray(structure(order, {1: (7, 9, bytes(9)), 2: (7, 9, bytes(9))}, big=big))
    data += bytes(300_000 - len(data))
    found = Tiff(bytes(data), "it").pages[0]
    start, letter = found.offset + (8 if big else 2), "Q" if big else "I"
    # Values behind the end of the file do not count.
    whole = len(data) + SHARED - 2 * entry
    first = (whole // 2) // SIZES[kind]
    struct.pack_into(order + "H", data, start + 2, kind)
    struct.pack_into(order + letter, data, start + 4, first)
    struct.pack_into(order + letter, data, start + entry - len(struct.pack(letter, 0)), 0)
    left = whole - first * SIZES[kind]
    for size in (left, left + 1):
        struct.pack_into(order + letter, data, start + entry + 4, size)
        struct.pack_into(order + letter, data, start + 2 * entry - (8 if big else 4), 0)
        assert claims_too_much(bytes(data)) == (size > left)
        assert claims_too_much(b"Exif\0\0" + bytes(data)) == (size > left)
    with pytest.raises(ImageError, match=r"it: .*claim more bytes than the file has") as refused:
        Tiff(bytes(data), "it")
    assert refused.value.code == "image.bomb"
    struct.pack_into(order + letter, data, start + entry + 4, 1 << 31)
    struct.pack_into(order + letter, data, start + 2 * entry - (8 if big else 4), 1 << 31)
    assert not claims_too_much(bytes(data))


def test_a_block_that_is_cut_off_claims_nothing() -> None:
    for data in (b"", b"II", b"II*\0\x08\0\0", b"Exif\0\0MM"):
        assert not claims_too_much(data)


MAKERS = {
    "NIKON CORPORATION": "Nikon NEF",
    "SONY": "Sony ARW",
    "PENTAX": "Pentax PEF",
    "RICOH IMAGING": "Pentax PEF",
    "SAMSUNG": "Samsung SRW",
    "Canon": "Canon raw",
    "Hasselblad": "Hasselblad 3FR",
    "Phase One": "Phase One IIQ",
    "Leaf": "Leaf MOS",
    "Kodak": "Kodak DCR",
    "EASTMAN KODAK": "Kodak DCR",
    "EPSON": "Epson ERF",
    "LEICA": "Leica raw",
    "OLYMPUS": "Olympus ORF",
    "Panasonic": "Panasonic RW2",
    "Someone": "of a camera's sensor",
    "": "of a camera's sensor",
}
RAW_PAGES = [
    *((259, number) for number in (32767, 32769, 32770, 34713, 65000, 65535)),
    *((262, number) for number in (32803, 34892)),
]


@pytest.mark.parametrize("maker", MAKERS)
@pytest.mark.parametrize("inside", [False, True])
def test_raw_files_are_known_by_what_only_they_hold(inside: bool, maker: str) -> None:
    for tag, number in RAW_PAGES:
        raw = page("<") | {tag: long("<", number)}
        preview: Values = page("<") | {271: (2, len(maker) + 1, maker.encode() + b"\0")}
        data = structure("<", preview | {330: raw}) if inside else structure("<", preview, raw)
        with pytest.raises(ImageError, match="is a raw file") as found:
            read_photo(data)
        assert found.value.code == "image.raw"
        assert found.value.values == {"raw": MAKERS[maker]}
        for other in (number - 1, number + 1):
            if (tag, other) not in RAW_PAGES:
                raw = page("<") | {tag: long("<", other)}
                Tiff(structure("<", preview, raw), "it").refuse_raw()


def test_a_dng_is_known_by_its_version() -> None:
    data = structure("<", page("<") | {50706: (1, 4, b"\1\4\0\0")})
    with pytest.raises(ImageError, match="DNG") as found:
        read_photo(data)
    assert found.value.values == {"raw": "DNG"}
