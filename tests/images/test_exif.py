"""EXIF blocks as other programs write them, where the specification leaves a choice."""

from __future__ import annotations

import io
import struct

import pytest
import tifffile

from gatefill.images import read_photo
from gatefill.images.exif import Block
from gatefill.images.jpeg_segments import JpegSegment
from gatefill.images.tiff_tags import Tag, exif_block
from tests.images.helpers import smooth
from tests.images.jpegs import KINDS
from tests.images.test_metadata import (
    EXIF_IFD,
    GPS_IFD,
    INTEROP_IFD,
    camera_exif,
    changed,
    tags_of,
    with_segments,
)


def jpeg_with(exif: bytes) -> bytes:
    return with_segments(KINDS["4:2:0"](45, 61, 0), JpegSegment(0xE1, b"Exif\0\0" + exif))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("format", ["jpg", "png", "tif"])
def test_pointers_of_the_type_for_directories_are_followed(format: str, order: str) -> None:
    """Type 13 (TIFF technical note 1) in place of LONG: what was removed hides there as well."""
    exif = bytearray(camera_exif(order))
    for tag in (EXIF_IFD, GPS_IFD, INTEROP_IFD):
        at = exif.index(struct.pack(order + "HHI", tag, 4, 1))
        struct.pack_into(order + "H", exif, at + 2, 13)
    file = changed(read_photo(jpeg_with(bytes(exif)))).encoded(format)
    assert b"REMOVED" not in file.data
    found, plain = (
        tags_of(read_photo(changed(read_photo(jpeg_with(block))).to_bytes(format)).meta.exif or b"")
        for block in (bytes(exif), camera_exif(order))
    )
    assert found == plain
    assert found[EXIF_IFD][0x927C].data.endswith(b"tail")  # type: ignore[index, union-attr]


@pytest.mark.filterwarnings("ignore:Tag data larger than file")  # Pillow's
def test_tags_may_share_their_bytes() -> None:
    text = Tag(2, bytes(range(1, 251)) * 40 + b"\0")
    block = bytearray(exif_block("<", {0x010E: text, 0x013B: text}))
    first, second = Block(bytes(block)).entries
    struct.pack_into("<I", block, second.at + 8, first.value)
    exif = bytes(block[: second.value])
    assert len(exif) < 2 * len(text.data)
    kept = tags_of(read_photo(read_photo(jpeg_with(exif)).to_bytes("tif")).meta.exif or b"")
    assert kept[0x010E] == kept[0x013B] == text


@pytest.mark.parametrize(("unit", "dpi"), [("INCH", (120, 60)), ("CENTIMETER", (304.8, 152.4))])
def test_a_resolution_in_centimeters_becomes_one_in_inches(
    unit: str, dpi: tuple[float, float]
) -> None:
    file = io.BytesIO()
    pixels = smooth(9, 13, 3).astype("u2") * 257
    tifffile.imwrite(file, pixels, resolution=(120, 60), resolutionunit=unit, metadata=None)
    photo = read_photo(file.getvalue())
    assert photo.meta.dpi == pytest.approx(dpi)
    for format in ("png", "tif"):
        assert read_photo(photo.to_bytes(format)).meta.dpi == pytest.approx(dpi, abs=0.02)
