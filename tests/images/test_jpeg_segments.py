"""JPEG files marker by marker: which segments there are, which are kept, what is said to go."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatefill.images import read_photo
from gatefill.images.damage import DamagedError
from gatefill.images.jpeg_segments import (
    JpegSegment,
    iptc_in,
    iptc_segment,
    kept,
    layout_of,
    left_out,
    resources_in,
    segments,
    with_more,
    with_segments,
)
from tests.images.helpers import mode_image, pil_file

PLAIN = pil_file(mode_image("RGB"), "JPEG")
PICTURE = b"\xff\xd8\xff\xe0 small \xff\xd9"
PHOTOSHOP = b"Photoshop 3.0\0"


def segment(marker: int, content: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


def scan(data: bytes = b"\x12\x34") -> bytes:
    return segment(0xDA, b"\1\1\0\0\x3f\0") + data


def jpeg(*parts: bytes) -> bytes:
    return b"\xff\xd8" + b"".join(parts) + scan() + b"\xff\xd9"


@pytest.mark.parametrize("fill", [0, 1, 2, 5])
def test_every_marker_may_have_fill_bytes_before_it(fill: int) -> None:
    expected, data = [], b"\xff\xd8"
    for marker in range(0xC0, 0xFF):
        if marker not in range(0xD0, 0xDA):
            data += b"\xff" * fill
            expected.append((marker, len(data), bytes([marker]) * (marker % 7)))
            data += segment(marker, expected[-1][2])
    data += b"\xff" * fill
    expected.append((0xD9, len(data), b""))
    found = [tuple(each) for each in segments(data + b"\xff\xd9" + segment(0xE1, b"later"))]
    assert found == expected


def test_entropy_coded_data_is_skipped() -> None:
    data = b"\xff\xd8" + scan(b"\x01\xff\x00\xff\xd0\xff\xd7\xff\xff\x00\x02") + segment(0xDB, b"t")
    assert [each.marker for each in segments(data + b"\xff\xd9")] == [0xDA, 0xDB, 0xD9]
    assert [each.marker for each in segments(data + b"\xff")] == [0xDA, 0xDB]
    assert [each.marker for each in segments(data + b"\xff\xff")] == [0xDA, 0xDB]
    assert [each.marker for each in segments(data + b"\xff\x01\xff\xd8\xff\xd9")] == [
        *(0xDA, 0xDB, 0xD9)
    ]


def test_a_segment_is_at_least_as_long_as_its_size() -> None:
    data = b"\xff\xd8\xff\xe1\0\0\xff\xe2\0\1\xff\xe3\0\2\xff\xe4\0\3a\xff\xe5\xff\xffcut"
    found = [(each.marker, each.content) for each in segments(data)]
    assert found == [(0xE1, b""), (0xE2, b""), (0xE3, b""), (0xE4, b"a"), (0xE5, b"cut")]


def test_the_parts_of_a_file() -> None:
    head = [JpegSegment(0xE0, b"one"), JpegSegment(0xFE, b"two"), JpegSegment(0xC4, b"three")]
    start = b"\xff\xd8" + b"".join(each.tobytes() for each in head)
    layout = layout_of(start + scan() + b"\xff\xd9behind")
    assert layout.head == head
    assert (layout.scans, layout.later_tables) == (len(start), False)
    assert layout.end == len(start) + len(scan()) + 2
    for between, later in ((segment(0xC4, b"t"), False), (segment(0xDB, b"t"), True)):
        data = start + scan() + between + scan() + b"\xff\xd9"
        layout = layout_of(data + b"behind")
        assert (layout.head, layout.scans, layout.end) == (head, len(start), len(data))
        assert layout.later_tables == later
        short = layout_of(data + b"behind", head_only=True)
        assert (short.head, short.scans, short.later_tables) == (head, len(start), False)
        assert short.end == len(data) + len(b"behind")
    assert layout_of(start + scan()).end == len(start + scan())  # the end marker is missing
    assert layout_of(start + b"\xff\xd9").scans == len(start)
    with pytest.raises(DamagedError, match="with a scan"):
        layout_of(start)


def test_the_process_is_that_of_the_first_frame() -> None:
    for marker in range(0xC0, 0xD0):
        expected = -1 if marker in (0xC4, 0xC8, 0xCC) else marker - 0xC0
        assert layout_of(jpeg(segment(marker, b"12345678"))).process == expected
    both = jpeg(segment(0xDE, b""), segment(0xC2, b"12345678"), segment(0xC0, b"12345678"))
    assert layout_of(both).process == 2
    assert layout_of(jpeg()).process == -1


@given(st.lists(st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=4), max_size=4))
def test_the_slots_of_quantization_tables(tables: list[list[tuple[int, bool]]]) -> None:
    data = jpeg(
        *(
            segment(
                0xDB,
                b"".join(
                    bytes([deep << 4 | slot]) + b"\x11" * (128 if deep else 64)
                    for slot, deep in each
                ),
            )
            for each in tables
        ),
        segment(0xC4, b"\x07" * 70),
    )
    assert layout_of(data).slots() == sorted({slot for each in tables for slot, _ in each})


def test_which_segments_stay() -> None:
    for marker in range(0xC0, 0xFF):
        stays = marker >= 0xE0 and (marker <= 0xEF or marker == 0xFE)
        plain = JpegSegment(marker, b"something")
        assert kept([plain]) == ([plain] if stays else [])
        # A copy of the photo goes, but not from where its bytes may stand by chance.
        holding = JpegSegment(marker, b"something" + PICTURE)
        assert kept([holding]) == ([holding] if marker in (0xE2, 0xEE, 0xFE) else [])
    longest = JpegSegment(0xE5, bytes(65533))
    assert kept([longest, JpegSegment(0xE5, bytes(65534))]) == [longest]
    assert len(longest.tobytes()) == 65537
    assert longest.tobytes()[:4] == b"\xff\xe5\xff\xff"


@pytest.mark.parametrize(
    ("marker", "start"),
    [
        (0xE0, b"JFXX\0"),
        (0xE1, b"http://ns.adobe.com/xmp/extension/\0"),
        (0xE2, b"MPF\0"),
        (0xE2, b"FPXR\0"),
        (0xEB, b"JP"),
    ],
)
def test_segments_that_hold_pictures_or_signatures_go(marker: int, start: bytes) -> None:
    assert kept([JpegSegment(marker, start + b"rest")]) == []
    for other in (0xE3, 0xFE):
        moved = JpegSegment(other, start + b"rest")
        assert kept([moved]) == [moved]
    behind = JpegSegment(marker, b"x" + start)
    assert kept([behind]) == [behind]


@pytest.mark.parametrize("size", [0, 1, 2, 300])
def test_a_thumbnail_in_jfif_goes(size: int) -> None:
    head = b"JFIF\0\1\2\1\0\x48\0\x48"
    segment = JpegSegment(0xE0, head + b"\3\4" + b"\x99" * size)
    expected = head + (b"\0\0" if size else b"\3\4")
    assert kept([segment]) == [JpegSegment(0xE0, expected)]


@given(
    st.lists(
        st.tuples(st.integers(0, 65535), st.binary(max_size=9), st.binary(max_size=300)), max_size=5
    )
)
def test_photoshops_resources_but_thumbnails_stay(found: list[tuple[int, bytes, bytes]]) -> None:
    def packed(number: int, name: bytes, data: bytes) -> bytes:
        title = bytes([len(name)]) + name
        head = b"8BIM" + struct.pack(">H", number) + title + bytes(len(title) % 2)
        return head + struct.pack(">I", len(data)) + data + bytes(len(data) % 2)

    resources = [*found, *((number, b"a", b"bcd") for number in range(1027, 1040))]
    data = b"".join(packed(*each) for each in resources)
    assert resources_in(data) == resources
    (after,) = kept([JpegSegment(0xED, PHOTOSHOP + data)])
    rest = [each for each in resources if each[0] not in (1033, 1036)]
    assert after.payload == PHOTOSHOP + b"".join(packed(*each) for each in rest)
    assert iptc_in(data) == next(data for number, _, data in resources if number == 1028)
    assert iptc_in(packed(1027, b"", b"x") + packed(1029, b"", b"y")) is None
    assert resources_in(iptc_segment(b"abc").payload[len(PHOTOSHOP) :]) == [(1028, b"", b"abc")]


def test_resources_that_are_cut_off_end_there() -> None:
    assert resources_in(b"") == resources_in(b"8BIM\4\4\0\0\0\0\0") == []
    assert resources_in(b"8BIM\4\4\0\0\0\0\0\0") == [(1028, b"", b"")]
    assert resources_in(b"8BIM\4\4\0\0\0\0\0\4ab") == [(1028, b"", b"ab")]
    assert resources_in(b"8BIM\4\4\0\0\0\0\0\0" + b"8BIN\4\4\0\0\0\0\0\0") == [(1028, b"", b"")]


def test_segments_are_put_in_and_replaced() -> None:
    own = [JpegSegment(0xE0, b"JFIF\0"), JpegSegment(0xEF, b"own")]
    tables = [JpegSegment(0xDB, bytes(65)), JpegSegment(0xC4, b"t"), JpegSegment(0xDF, b"r")]
    old = JpegSegment(0xFE, b"comment")
    data = jpeg(*(each.tobytes() for each in (own[0], tables[0], old, own[1], *tables[1:])))
    new = [JpegSegment(0xFE, b"new"), JpegSegment(0xED, b"more")]
    rest = scan() + b"\xff\xd9"
    assert (
        with_more(data, new)
        == b"\xff\xd8" + b"".join(each.tobytes() for each in [*own, *new, *tables]) + rest
    )
    assert (
        with_segments(data, new)
        == b"\xff\xd8" + b"".join(each.tobytes() for each in [*new, *tables]) + rest
    )


MARKS = [b'hdrgm:Version="1.0"', b"urn:iso:std:iso:ts:21496:-1", b"urn:com:apple:HDRGainMap"]


@pytest.mark.parametrize("mark", MARKS)
@pytest.mark.parametrize("behind", [False, True])
def test_a_gain_map_is_known_by_any_of_its_marks(behind: bool, mark: bytes) -> None:
    several = segment(0xE2, b"MPF\0rest")
    before, after = (b"", mark) if behind else (segment(0xE1, mark), b"")
    (said,) = left_out(jpeg(several, before) + PICTURE + after, "it")
    assert (said.code, said.values) == ("file.gain_map", {"name": "it"})
    assert str(said) == "it: its HDR gain map is left out"
    (said,) = left_out(jpeg(several) + PICTURE, "it")
    assert (said.code, str(said)) == ("file.pictures", "it: its second picture is left out")
    assert left_out(jpeg(several), "it") == []
    (said,) = left_out(jpeg(segment(0xE1, mark)) + PICTURE, "it")  # nothing says there are several
    assert (said.code, said.values) == ("file.trailer", {"name": "it", "bytes": len(PICTURE)})


@pytest.mark.parametrize(
    ("rest", "what"),
    [
        (b"\0\xff\r\n " * 100, None),
        (b"\0" * 9 + b"x" + b"\0" * 9, "19 bytes after the picture"),
        (b"x" * 4000, "4,000 bytes after the picture"),
        (b"x" * 4092 + b"ftyp", "video"),
        (b"x" * 4093 + b"ftyp", "4,097 bytes after the picture"),
    ],
)
def test_what_lies_behind_the_picture(rest: bytes, what: str | None) -> None:
    said = left_out(jpeg() + rest, "it")
    assert [str(each) for each in said] == ([f"it: its {what} is left out"] if what else [])
    assert [each.values for each in said] == [{"name": "it", "bytes": len(rest)}][: len(said)]


def test_what_else_goes_is_said() -> None:
    parts = segment(0xEB, b"JP"), segment(0xE1, b"http://ns.adobe.com/xmp/extension/\0")
    assert [each.code for each in left_out(jpeg(*parts), "it")] == [
        *("file.credentials", "file.extended_xmp")
    ]
    assert left_out(jpeg(segment(0xEC, b"JP"), segment(0xEB, b"xJP")), "it") == []


def test_a_real_file_comes_back_with_every_segment() -> None:
    extra = [JpegSegment(0xE0 + number, bytes([number]) * 20) for number in range(3, 13)]
    photo = read_photo(with_more(PLAIN, extra))
    pixels = photo.pixels.copy()
    pixels[0, 0] ^= 255
    head = layout_of(photo.replaced(pixels).to_bytes("jpg")).head
    assert [each for each in head if 0xE2 < each.marker < 0xED] == extra
