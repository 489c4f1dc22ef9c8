"""Whether all coefficients of a JPEG are there, told from its markers alone."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from gatefill.images import read_photo
from gatefill.images.jpeg_read import has_all_scans, has_end, without_end
from gatefill.images.jpeg_segments import FRAMES
from tests.images.jpegs import KINDS, stored
from tests.images.test_jpeg_segments import segment

PROGRESSIVE = (0xC2, 0xC6, 0xCA, 0xCE)
WHOLE = (0, 63, 0)


def frame(marker: int, *names: int) -> bytes:
    components = b"".join(bytes([name, 0x11, 0]) for name in names)
    return segment(marker, b"\x08\0\x08\0\x08" + bytes([len(names)]) + components)


def scan(names: list[int], *band: int) -> bytes:
    """A scan of components; the band: its first and last coefficient, and its bits."""
    parts = b"".join(bytes([name, 0x55]) for name in names)
    return segment(0xDA, bytes([len(names)]) + parts + bytes(band)) + b"\x12\x34"


def complete(marker: int, names: list[int], *scans: tuple[list[int], tuple[int, ...]]) -> bool:
    parts = [frame(marker, *names), *(scan(which, *band) for which, band in scans)]
    return has_all_scans(b"\xff\xd8" + b"".join(parts) + b"\xff\xd9")


@pytest.mark.parametrize("marker", sorted(FRAMES))
def test_only_progressive_files_have_scans_of_a_part(marker: int) -> None:
    assert complete(marker, [1, 2, 3], ([1, 2, 3], WHOLE))
    part = complete(marker, [1, 2, 3], ([1, 2, 3], (0, 0, 0)))
    assert part == (marker not in PROGRESSIVE)
    low = complete(marker, [1, 2, 3], ([1, 2, 3], (0, 63, 1)))
    assert low == (marker not in PROGRESSIVE)


@pytest.mark.parametrize(
    ("bands", "expected"),
    [
        ([(0, 0, 0), (1, 63, 0)], True),
        ([(0, 0, 0), (1, 5, 0), (6, 63, 0)], True),
        ([(1, 63, 0), (0, 0, 0)], True),
        ([(0, 0, 0), (1, 62, 0)], False),
        ([(0, 0, 0), (2, 63, 0)], False),
        ([(1, 63, 0)], False),
        ([(0, 0, 0), (1, 5, 0), (7, 63, 0)], False),
        # The bits: those that were there before, and the lowest that is there now.
        ([(0, 0, 1), (1, 63, 0)], False),
        ([(0, 0, 1), (1, 63, 0), (0, 0, 0x10)], True),
        ([(0, 0, 8), (1, 63, 0)], False),
        ([(0, 0, 0xF0), (1, 63, 0)], True),
    ],
)
def test_every_coefficient_is_needed_to_its_last_bit(bands: list[Any], expected: bool) -> None:
    assert complete(0xC2, [7], *(([7], band) for band in bands)) == expected
    # Of every component.
    others: list[Any] = [([8, 9], (0, 0, 0)), ([8], (1, 63, 0)), ([9], (1, 63, 0))]
    own: list[Any] = [([7], band) for band in bands]
    assert complete(0xC2, [7, 8, 9], *others, *own) == expected
    assert complete(0xC2, [8, 7], *own, *others) == expected


def test_components_of_any_name_and_number() -> None:
    for names in ([0], [255], [1, 2, 3, 4], [82, 71, 66]):
        assert complete(0xC0, names, (names, WHOLE))
        assert complete(0xC0, names, *(([name], WHOLE) for name in names))
        assert not complete(0xC0, [*names, 99], (names, WHOLE))
        assert complete(0xC0, names, ([*names, 99], WHOLE))  # of no frame
    assert not complete(0xC0, [], ([1], WHOLE))


def test_headers_that_are_too_short_are_no_scans() -> None:
    start, end = b"\xff\xd8" + frame(0xC0, 5), b"\xff\xd9"
    assert has_all_scans(start + scan([5], *WHOLE) + end)
    for band in ((), (0,), (0, 63)):
        assert not has_all_scans(start + scan([5], *band) + end)
    assert not has_all_scans(start + segment(0xDA, b"") + b"\x12" + end)
    for length in range(6):
        assert not has_all_scans(b"\xff\xd8" + segment(0xC0, bytes(length)) + end)


def test_an_end_without_a_scan_counts() -> None:
    assert has_end(b"\xff\xd9")
    assert has_end(b"\xff\xd8\xff\xd9")
    assert not has_end(b"\xff\xd8")


def test_segments_without_content_are_whole() -> None:
    start = b"\xff\xd8"
    for content in (b"", b"1", b"12"):
        data = start + segment(0xE5, content)
        assert without_end(data) == data
        assert without_end(data[:-1]) == start
    data = start + segment(0xE5, b"") + scan([1], *WHOLE)
    for more in (b"", b"\1", b"\1\2\3"):
        assert without_end(data + more) == data + more
        assert without_end(data + more + b"\xff\xff") == data + more
    assert without_end(data[:-2]) == start + segment(0xE5, b"")


@pytest.mark.parametrize("kind", ["4:4:4", "4:2:2", "4:2:0", "progressive", "gray", "cmyk"])
def test_a_file_encoded_anew_has_the_sampling_and_process(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "jpegio", None)
    data = KINDS[kind](40, 48, 0)
    photo = read_photo(data)
    file, said = photo.replaced(255 - photo.pixels).encoded("jpg")
    assert said[0].code == "file.reencoded"
    monkeypatch.undo()
    before, after = stored(data), stored(file)
    assert after.kind[0] == before.kind[0] == (kind == "progressive")
    assert after.sampling == before.sampling[:3]
