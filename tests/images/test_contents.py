"""What a file holds beside its pixels, block by block of its format."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from gatefill.images import Meta, read_photo
from gatefill.images.contents import png_chunks, with_contents
from tests.images.helpers import exif_block, mode_image, pil_file, png_chunk, tiff_file
from tests.images.structures import long, short, structure
from tests.images.test_metadata import IPTC, PACKET

EXIF = structure("<", {271: (2, 6, b"Maker\0"), 274: short("<", 1)})


def said(meta: Meta) -> list[tuple[str, Any]]:
    return [(each.code, each.values.get("number")) for each in meta.warnings]


def gif_blocks(*, size: int | None, frames: list[int | None], comments: list[bytes]) -> bytes:
    """A GIF of one pixel, its color tables of 2 << size colors; None: no table of its own."""

    def table(bits: int | None) -> tuple[int, bytes]:
        return (0, b"") if bits is None else (0x80 | bits, b"\x21\x2c\x3b" * (2 << bits))

    def parts(data: bytes) -> bytes:
        cut = [data[at : at + 255] for at in range(0, len(data), 255)]
        return b"".join(bytes([len(part)]) + part for part in cut) + b"\0"

    flags, colors = table(size)
    out = b"GIF89a\1\0\1\0" + bytes([flags | 0x70, 0, 0]) + colors
    for text in comments:
        out += b"\x21\xfe" + parts(text)
        out += b"\x21\xf9\4\0\0\0\0\0"  # graphic control
    for bits in frames:
        flags, colors = table(bits)
        out += b"\x2c\0\0\0\0\1\0\1\0" + bytes([flags | 0x40]) + colors + b"\2" + parts(b"\x44\1")
    return out + b"\x3b"


@given(
    size=st.none() | st.integers(0, 7),
    frames=st.lists(st.none() | st.integers(0, 7), max_size=4),
    comments=st.lists(st.binary(max_size=600), max_size=3),
)
def test_gifs_with_color_tables_of_every_size(
    size: int | None, frames: list[int | None], comments: list[bytes]
) -> None:
    data = gif_blocks(size=size, frames=frames, comments=comments)
    meta = with_contents(Meta(name="it"), data, "GIF")
    assert meta.comments == tuple(comments)
    assert said(meta) == ([("file.frames", len(frames))] if len(frames) > 1 else [])


@pytest.mark.parametrize("size", [None, *range(8)])
def test_pillow_reads_those_gifs_too(size: int | None) -> None:
    data = gif_blocks(size=size or 0, frames=[size, None], comments=[b"a text"])
    photo = read_photo(data)
    assert Image.open(io.BytesIO(data)).n_frames == 2  # type: ignore[attr-defined]
    assert photo.meta.comments == (b"a text",)
    assert said(photo.meta) == [("file.frames", 2)]


@pytest.mark.parametrize("cut", range(1, 12))
def test_a_gif_that_is_cut_off_says_nothing_wrong(cut: int) -> None:
    data = gif_blocks(size=1, frames=[None], comments=[b"a text"])[:-cut]
    assert said(with_contents(Meta(name="it"), data, "GIF")) == []


def png(*chunks: tuple[bytes, bytes]) -> bytes:
    data = pil_file(mode_image("RGB"), "PNG")
    return data[:33] + b"".join(png_chunk(*chunk) for chunk in chunks) + data[33:]


def xmp_text(flags: bytes, text: bytes) -> tuple[bytes, bytes]:
    return b"iTXt", b"XML:com.adobe.xmp\0" + flags + b"en\0title\0" + text


def test_a_png_holds_exif_xmp_and_texts() -> None:
    texts = [
        (b"tEXt", b"Title\0one"),
        (b"zTXt", b"Title\0\0two"),
        (b"iTXt", b"Title\0\0\0\0\0 three"),
    ]
    color = [(b"gAMA", bytes(4)), (b"mDCV", bytes(24)), (b"cLLI", bytes(8)), (b"cICP", bytes(4))]
    old = [
        (b"zTXt", b"Raw profile type " + name + b"\0\0...") for name in (b"exif", b"APP1", b"xmp")
    ]
    other = [(b"tEXt", b"Raw profile type iptc\0..."), (b"vpAg", b"12345")]
    exif = (b"eXIf", EXIF)
    data = png(*texts, xmp_text(b"\0\0", PACKET), *old, *color, exif, *other)
    meta = with_contents(Meta(name="it"), data, "PNG")
    assert meta.chunks == (*texts, *color, other[0])
    assert meta.exif == EXIF
    assert (meta.xmp or b"").startswith(PACKET[:30])
    assert b"REMOVED" not in (meta.xmp or b"")
    assert said(meta) == []
    prefixed = with_contents(Meta(name="it"), png((b"eXIf", b"Exif\0\0" + EXIF)), "PNG")
    assert prefixed.exif == EXIF


@pytest.mark.parametrize("language", [b"\0\0", b"en\0\0", b"\0title\0", b"ko\0title\0"])
def test_xmp_in_a_png_is_read_whatever_comes_before_it(language: bytes) -> None:
    packet = b"<x:xmpmeta>\0 a text</x:xmpmeta>"
    for flags, text in ((b"\0\0", packet), (b"\1\0", zlib.compress(packet))):
        data = png((b"iTXt", b"XML:com.adobe.xmp\0" + flags + language + text))
        photo = read_photo(data)
        assert photo.meta.xmp == packet
        assert (photo.meta.chunks, photo.meta.warnings) == ((), ())
        assert read_photo(photo.to_bytes("png")).meta.xmp == packet
        assert read_photo(photo.to_bytes("webp")).meta.xmp == packet


def test_packed_xmp_that_cannot_be_unpacked_is_said() -> None:
    for packed in (zlib.compress(PACKET)[:-3], b"damage", zlib.compress(bytes(17 << 20))):
        meta = with_contents(Meta(name="it"), png(xmp_text(b"\1\0", packed)), "PNG")
        assert meta.xmp is None
        assert [each.code for each in meta.warnings] == ["file.chunks"]
        assert meta.warnings[0].values == {"chunks": ["iTXt"]}
    both = png((b"acTL", b"\0\0\0\3\0\0\0\0"), xmp_text(b"\1\0", b"damage"))
    codes = [each.code for each in with_contents(Meta(name="it"), both, "PNG").warnings]
    assert codes == ["file.frames", "file.chunks"]


@pytest.mark.parametrize(("number", "expected"), [(0, []), (1, []), (2, [2]), (70_000, [70_000])])
def test_frames_of_a_png_are_counted(number: int, expected: list[int]) -> None:
    data = png((b"acTL", struct.pack(">II", number, 9)))
    meta = with_contents(Meta(name="it"), data, "PNG")
    assert said(meta) == [("file.frames", each) for each in expected]
    for warning in meta.warnings:
        assert str(warning) == (
            f"it: only the first of {number} frames is filled, the others are left out"
        )


def test_the_chunks_of_a_png() -> None:
    chunks = [(b"tEXt", bytes(number)) for number in (0, 1, 300, 70_000)]
    found = list(png_chunks(png(*chunks)))
    assert found[0][0] == b"IHDR"
    assert found[1:5] == chunks
    assert found[-1] == (b"IEND", b"")
    assert list(png_chunks(png()[:33] + bytes(11))) == found[:1]


def riff(*chunks: tuple[bytes, bytes]) -> bytes:
    body = b"WEBP" + b"".join(
        kind + struct.pack("<I", len(data)) + data + bytes(len(data) % 2) for kind, data in chunks
    )
    return b"RIFF" + struct.pack("<I", len(body)) + body


def animated(*kinds: bytes) -> list[tuple[bytes, bytes]]:
    return [
        (b"ANMF", bytes(16) + kind + struct.pack("<I", 3) + b"abc\0")  # an odd size, padded
        for kind in kinds
    ]


@pytest.mark.parametrize("odd", [0, 1])
def test_the_chunks_of_a_webp(odd: int) -> None:
    header = (b"VP8X", bytes(10 + odd))
    rest = [(b"EXIF", EXIF + bytes(odd)), (b"XMP ", PACKET + b" " * odd)]
    for frames, lossy, number in (
        ([(b"VP8 ", bytes(5))], True, 0),
        ([(b"VP8L", bytes(5))], False, 0),
        ([(b"ALPH", bytes(5)), (b"VP8 ", bytes(4))], True, 0),
        (animated(b"VP8 "), True, 0),
        (animated(b"VP8L", b"VP8 "), False, 2),
        (animated(b"VP8 ", b"VP8L", b"VP8L"), True, 3),
    ):
        meta = with_contents(Meta(name="it"), riff(header, *frames, *rest), "WebP")
        assert meta.lossy == lossy
        assert said(meta) == ([("file.frames", number)] if number else [])
        assert (meta.exif or b"")[: len(EXIF)] == EXIF
        assert (meta.xmp or b"").startswith(PACKET[:30])
    prefixed = riff(header, (b"VP8L", b""), (b"EXIF", b"Exif\0\0" + EXIF))
    assert with_contents(Meta(name="it"), prefixed, "WebP").exif == EXIF
    assert with_contents(Meta(name="it"), prefixed[:-1], "WebP").lossy is False


@pytest.mark.parametrize("compression", [1, 5, 6, 7, 8])
def test_whether_a_tiff_is_lossy(compression: int) -> None:
    data = structure("<", {256: short("<", 5), 257: short("<", 5), 259: short("<", compression)})
    assert with_contents(Meta(name="it"), data, "TIFF").lossy == (compression in (6, 7))


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_tiff_holds_iptc_and_xmp(order: str) -> None:
    page = {256: short(order, 5), 257: short(order, 5), 271: (2, 6, b"Maker\0")}
    resources = b"8BIM\4\4\0\0" + struct.pack(">I", len(IPTC)) + IPTC
    own = {33723: (7, len(IPTC), IPTC)}
    inside = {34377: (1, len(resources), resources)}
    for tags, expected in (
        (own, IPTC),
        (inside, IPTC),
        (own | {34377: (1, 12, b"8BIM\4\4\0\0\0\0\0\0")}, IPTC),
        ({34377: (1, 12, resources[:4] + b"\4\5\0\0\0\0\0\0")}, None),
        ({}, None),
    ):
        data = structure(order, page | tags | {700: (1, len(PACKET), PACKET)})
        meta = with_contents(Meta(name="it"), data, "TIFF")
        assert meta.iptc == expected
        assert (meta.xmp or b"").startswith(PACKET[:30])
        assert meta.exif == structure_of_maker(order)
        big = with_contents(Meta(name="it"), structure(order, page | tags, big=True), "TIFF")
        assert (big.iptc, big.exif) == (None, None)


def structure_of_maker(order: str) -> bytes:
    """The block of the one tag about the photo; its value comes behind the directory."""
    mark = b"II*\0" if order == "<" else b"MM\0*"
    entry = struct.pack(order + "IHHHIII", 8, 1, 271, 2, 6, 26, 0)
    return mark + entry + b"Maker\0"


@pytest.mark.parametrize("number", [1, 2, 3])
def test_pages_of_a_tiff_are_counted(number: int) -> None:
    pages = [{256: short("<", 5), 257: short("<", 5)} for _ in range(number)]
    preview = {256: short("<", 2), 257: short("<", 2), 254: long("<", 1)}
    meta = with_contents(Meta(name="it"), structure("<", *pages, preview), "TIFF")
    assert said(meta) == ([("file.pages", number)] if number > 1 else [])
    for warning in meta.warnings:
        assert f"only the first of {number} pages" in str(warning)


def test_damage_beside_the_pixels_leaves_the_photo() -> None:
    broken = (b"eXIf", EXIF[:16])
    (warning,) = with_contents(Meta(name="it"), png(broken), "PNG").warnings
    assert (warning.code, warning.values) == ("file.exif", {"name": "it"})
    meta = with_contents(Meta(name="it"), b"\xff\xd8\xff", "JPEG")
    assert (meta.lossy, meta.jpeg) == (True, None)
    assert with_contents(Meta(name="it"), b"II*\0", "TIFF") == Meta(name="it")
    assert with_contents(Meta(name="it"), b"BM", "BMP") == Meta(name="it")


def test_pil_images_whose_file_has_changed_are_taken_as_they_are(tmp_path: Any) -> None:
    path = tmp_path / "photo.jpg"
    first, second = (np.full((16, 24, 3), value, np.uint8) for value in (40, 200))
    Image.fromarray(first).save(path, quality=90)
    data = path.read_bytes()
    assert read_photo(Image.open(path)).meta.jpeg == data
    loaded = Image.open(path)
    loaded.load()
    assert read_photo(loaded).meta.jpeg == data
    for change in (
        lambda: Image.fromarray(second[:8]).save(path, quality=90),
        lambda: Image.fromarray(second).save(path, quality=50),
        lambda: Image.fromarray(second).save(path, quality=90, exif=exif_block(3)),
        lambda: path.write_bytes(b"no image"),
        path.unlink,
    ):
        path.write_bytes(data)
        image = Image.open(path)
        image.load()
        change()
        photo = read_photo(image)
        assert photo.meta.jpeg is None
        assert photo.meta.lossy
        assert (abs(photo.pixels.astype(int) - first) < 3).all()
    stream = Image.open(io.BytesIO(data))
    stream.fp.seek(5)  # type: ignore[union-attr]
    assert read_photo(stream).meta.jpeg == data
    comment = Image.open(io.BytesIO(pil_file(Image.fromarray(first), "JPEG", comment="한글")))
    assert read_photo(comment).meta.comments == ("한글".encode(),)
    assert read_photo(Image.fromarray(first)).meta.jpeg is None
    assert tiff_file(first)[:2] == b"II"
