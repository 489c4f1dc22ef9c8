"""How much of a JPEG is missing, and which tags are left out because they claim too much."""

from __future__ import annotations

import re
import struct
from typing import Any

import pytest
from PIL import Image

from gatefill.images import ImageError, read_photo
from gatefill.images.jpeg_read import has_end, missing_share, subsampling_of, without_bombs
from tests.images.helpers import noise, pil_file
from tests.images.jpegs import KINDS
from tests.images.structures import structure
from tests.images.test_jpeg_segments import segment

ROWS = 10  # of blocks


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_the_share_of_rows_that_are_missing(mode: str) -> None:
    image = Image.fromarray(noise(8 * ROWS, 64, 3)).convert(mode)
    options: Any = {"quality": 90, "subsampling": "4:4:4", "restart_marker_rows": 1}
    data = pil_file(image, "JPEG", **options)
    whole = read_photo(data)
    ends = [found.start() for found in re.finditer(rb"\xff[\xd0-\xd7]", data)]
    assert len(ends) == ROWS - 1
    for number, end in enumerate(ends, 1):
        for extra in (0, 2):  # without the restart marker, and with it
            share = missing_share(data[: end + extra])
            assert share == pytest.approx(1 - number / ROWS)
        photo = read_photo(data[: end + 2], allow_truncated=True)
        (said,) = photo.meta.warnings
        assert said.values == {"share": pytest.approx(1 - number / ROWS)}
        assert f"in {10 * (ROWS - number)}% of its rows" in str(said)
        assert (photo.pixels[: 8 * number] == whole.pixels[: 8 * number]).all()
    assert missing_share(data[:-2]) == 0
    with pytest.raises(ImageError, match="allow_truncated"):
        read_photo(data[: ends[-1]])


def test_an_end_marker_counts_behind_the_first_scan() -> None:
    data = pil_file(Image.fromarray(noise(9, 9, 3)), "JPEG")
    assert has_end(data)
    assert not has_end(data[:-2])
    assert not has_end(data[:-1])
    early = data[:2] + segment(0xE5, b"\xff\xd9") + data[2:-2]
    assert not has_end(early)
    assert has_end(early + b"\xff\xd9")


def test_tags_that_claim_too_much_are_taken_out_and_no_others() -> None:
    def tags(claim: int, order: str = "<") -> bytes:
        data = bytearray(structure(order, {700 + at: (7, 9, bytes(9)) for at in range(9)}))
        start = struct.unpack_from(order + "I", data, 4)[0] + 2
        for at in range(9):
            struct.pack_into(order + "I", data, start + 12 * at + 4, claim)
            struct.pack_into(order + "I", data, start + 12 * at + 8, 8)
        return bytes(data) + bytes(30_000)

    plain = pil_file(Image.fromarray(noise(9, 9, 3)), "JPEG")
    for marker, prefix in ((0xE1, b"Exif\0\0"), (0xE2, b"MPF\0")):
        harmless, bomb = (segment(marker, prefix + tags(claim)) for claim in (9, 30_000))
        other = segment(marker, b"other" + tags(30_000))
        moved = segment(0xE3, prefix + tags(30_000))
        for before, after in (([harmless], []), ([other, moved], [])):
            data = plain[:2] + b"".join([*before, *after]) + plain[2:]
            assert without_bombs(data) == (data, False)
        data = plain[:2] + other + bomb + moved + plain[2:]
        assert without_bombs(data) == (plain[:2] + other + moved + plain[2:], True)
        photo = read_photo(data)
        assert [each.code for each in photo.meta.warnings] == ["file.exif"]
        # Together they claim as much as is there: the second is the rest of the first.
        halves = tags(9)[:100], tags(9)[100:]
        two = b"".join(segment(marker, prefix + half) for half in halves)
        data = plain[:2] + two + plain[2:]
        assert without_bombs(data) == (data, False)
        both = (
            plain[:2] + bomb + b"".join(segment(marker, prefix + b"rest") for _ in "12") + plain[2:]
        )
        assert without_bombs(both) == (plain, True)
        for behind in (plain + bomb, plain[:-2] + bomb + plain[-2:]):
            assert without_bombs(behind) == (behind, False)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        *(("4:4:4", "4:4:4"), ("4:2:2", "4:2:2"), ("4:2:0", "4:2:0"), ("4:4:0", "4:4:4")),
        *(("4:1:1", "4:4:4"), ("gray", None), ("cmyk", None)),
    ],
)
def test_the_chroma_subsampling(kind: str, expected: str | None) -> None:
    photo = read_photo(KINDS[kind](24, 24, 0))
    assert photo.meta.subsampling == expected
    assert subsampling_of(Image.new("RGB", (8, 8))) is None
