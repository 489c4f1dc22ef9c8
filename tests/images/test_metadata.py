"""What a photo carries besides its pixels comes back byte for byte, or a warning says what goes."""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from gatefill.images import Photo, read_photo
from gatefill.images.exif import Block
from gatefill.images.jpeg_segments import JpegSegment, layout_of
from gatefill.images.tiff_tags import Directory, Tag, exif_block, read_tags
from tests.images.cases import case
from tests.images.helpers import SRGB, pil_file, png_chunk
from tests.images.jpegs import KINDS, texture

EXIF_IFD, GPS_IFD, INTEROP_IFD = 0x8769, 0x8825, 0xA005
PACKET = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6" '
    b'dc:creator="\xea\xb9\x80"/><xmp:Thumbnails>/9j/REMOVED</xmp:Thumbnails></x:xmpmeta>'
)
IPTC = b"\x1c\x02\x78\x00\x05hello\x1c\x02\x50\x00\x02me"
SECRET = b"\xff\xd8\xff\xe0REMOVED OBJECT\xff\xd9"


def tags_of(block: bytes) -> Directory:
    return read_tags(Block(block))


def camera_exif(order: str = "<", orientation: int = 6) -> bytes:
    """An EXIF block with text of all kinds, a maker note with a preview, and a thumbnail."""

    def short(*values: int) -> Tag:
        return Tag(3, struct.pack(f"{order}{len(values)}H", *values))

    def long(*values: int) -> Tag:
        return Tag(4, struct.pack(f"{order}{len(values)}I", *values))

    tags: Directory = {
        0x010E: Tag(2, "사진 설명".encode() + b"\0"),
        0x013B: Tag(2, "김철수".encode("euc-kr") + b"\0"),
        0x8298: Tag(2, "© André".encode("latin-1") + b"\0"),
        0x0112: short(orientation),
        0x011A: Tag(5, struct.pack(order + "2I", 300, 1)),
        0x011B: Tag(5, struct.pack(order + "2I", 150, 1)),
        0xC4A5: Tag(7, b"PrintIM\0" + bytes(6)),
        EXIF_IFD: {
            0x9286: Tag(7, b"UNICODE\0" + "메모".encode("utf-16-le")),
            0x927C: Tag(7, b"MAKER\0\x01\x02" + bytes(range(200)) + SECRET + b"tail"),
            0xA301: Tag(7, b"\1"),
            0xA002: long(61),
            0xA003: long(45),
            INTEROP_IFD: {1: Tag(2, b"R98\0"), 2: Tag(7, b"0100")},
        },
        GPS_IFD: {1: Tag(2, b"N\0"), 2: Tag(5, struct.pack(order + "6I", 37, 1, 30, 1, 0, 1))},
    }
    if not orientation:
        del tags[0x0112]
    block = bytearray(exif_block(order, tags))
    second = len(block) + len(block) % 2
    block = block.ljust(second, b"\0")
    found = Block(bytes(block))
    pointer = found.first + 2 + 12 * len(found.entries)
    struct.pack_into(order + "I", block, pointer, second)
    thumbnail = second + 2 + 24 + 4
    entries = struct.pack(order + "HHII", 513, 4, 1, thumbnail)
    entries += struct.pack(order + "HHII", 514, 4, 1, len(SECRET))
    return bytes(block) + struct.pack(order + "H", 2) + entries + bytes(4) + SECRET


def with_segments(data: bytes, *segments: JpegSegment) -> bytes:
    return data[:2] + b"".join(segment.tobytes() for segment in segments) + data[2:]


def photographed(order: str = "<", orientation: int = 6) -> bytes:
    """A JPEG with all that cameras and editors put into one."""
    profile = [
        b"ICC_PROFILE\0" + bytes([n + 1, 2]) + SRGB[n * 400 : 400 + n * 9999] for n in (0, 1)
    ]
    resources = b"".join(
        b"8BIM" + struct.pack(">HxxI", number, len(data)) + data + bytes(len(data) % 2)
        for number, data in ((1028, IPTC), (1036, SECRET), (1034, b"\0\0\0\1"))
    )
    return with_segments(
        KINDS["4:2:0"](45, 61, 0),
        JpegSegment(0xE1, b"Exif\0\0" + camera_exif(order, orientation)),
        JpegSegment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + PACKET),
        *(JpegSegment(0xE2, part) for part in profile),
        JpegSegment(0xE5, b"vendor data"),
        JpegSegment(0xE6, b"vendor preview" + SECRET),
        JpegSegment(0xED, b"Photoshop 3.0\0" + resources),
        JpegSegment(0xFE, "첫 번째".encode()),
        JpegSegment(0xFE, b"second"),
    )


def changed(photo: Photo) -> Photo:
    pixels = photo.pixels.copy()
    pixels[:9, :9] = 99
    return photo.replaced(pixels)


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_jpeg_keeps_all_of_its_segments_but_copies_of_the_photo(order: str) -> None:
    data = photographed(order)
    file = changed(read_photo(data)).encoded("jpg")
    assert file.warnings == ()
    assert b"REMOVED" not in file.data
    before, after = layout_of(data).head, layout_of(file.data).head
    kept = [part for part in after if part.marker >= 0xE0]
    expected = [part for part in before if part.marker >= 0xE0 and part.marker != 0xE6]
    assert [part.marker for part in kept] == [part.marker for part in expected]
    for part, was in zip(kept, expected, strict=True):
        if part.marker == 0xED:
            assert IPTC in part.payload
            assert part.payload.count(b"8BIM") == 2
        elif part.marker != 0xE1:
            assert part == was
    xmp = kept[1].payload
    assert b'tiff:Orientation="6"' in xmp  # the file stays turned
    exif = kept[0].payload[6:]
    was = tags_of(camera_exif(order))
    now = tags_of(exif)
    note: Any = was[EXIF_IFD][0x927C]  # type: ignore[index]
    was[EXIF_IFD][0x927C] = Tag(7, note.data.replace(SECRET, bytes(len(SECRET))))  # type: ignore
    assert now == was


def test_nothing_leads_to_a_thumbnail_any_more() -> None:
    block = Block(read_photo(photographed()).meta.exif or b"")
    assert block.next(block.first) == 0
    assert Block(camera_exif()).next(block.first) > 0


def test_a_thumbnail_that_lies_in_the_tags_takes_none_with_it() -> None:
    exif = bytearray(camera_exif())
    at = exif.index(struct.pack("<HHI", 513, 4, 1)) + 8
    exif[at : at + 4] = struct.pack("<I", 8)
    photo = read_photo(with_segments(KINDS["gray"](9, 9, 0), JpegSegment(0xE1, b"Exif\0\0" + exif)))
    assert tags_of(photo.meta.exif or b"")[0x013B] == Tag(2, "김철수".encode("euc-kr") + b"\0")


def test_thumbnails_in_jfif_go() -> None:
    plain = KINDS["gray"](16, 16, 0)
    small = JpegSegment(0xE0, b"JFIF\0\1\2\1\0\x48\0\x48\2\1REMOVE")
    extension = JpegSegment(0xE0, b"JFXX\0\x13\2\1REMOVE")
    data = plain[:2] + small.tobytes() + extension.tobytes() + plain[20:]
    file = changed(read_photo(data)).encoded("jpg")
    assert b"REMOVE" not in file.data
    head = layout_of(file.data).head
    assert head[0] == JpegSegment(0xE0, b"JFIF\0\1\2\1\0\x48\0\x48\0\0")
    assert read_photo(file.data).meta.dpi == (72, 72)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("format", ["png", "webp", "tif", "jpg"])
def test_other_formats_keep_exif_tags_byte_for_byte(order: str, format: str) -> None:
    data = photographed(order)
    options = {"quality": 90} if format == "jpg" else {}
    file = changed(read_photo(data)).encoded(format, **options)
    assert b"REMOVED" not in file.data
    again = read_photo(file.data)
    assert again.meta.exif is not None
    was, now = tags_of(camera_exif(order)), tags_of(again.meta.exif)
    turned: Any = was[EXIF_IFD]
    note = turned[0x927C].data.replace(SECRET, bytes(len(SECRET)))
    turned |= {0x927C: Tag(7, note), 0xA002: turned[0xA003], 0xA003: turned[0xA002]}
    was[0x0112] = Tag(3, struct.pack(order + "H", 1))
    was[0x011A], was[0x011B] = was[0x011B], was[0x011A]
    assert now == was
    assert again.meta.icc == SRGB
    expected = {"webp": None, "tif": (150, 300)}.get(format, (72, 72))
    assert again.meta.dpi == (expected and pytest.approx(expected, rel=1e-3))
    assert b'tiff:Orientation="1"' in (again.meta.xmp or b"")
    assert "김".encode() in (again.meta.xmp or b"")


@pytest.mark.parametrize(
    ("format", "left_out"),
    [
        ("png", ["IPTC data"]),
        ("webp", ["IPTC data", "comments"]),
        ("tif", ["comments"]),
        ("bmp", ["EXIF data", "color profile", "XMP data", "IPTC data", "comments"]),
    ],
)
def test_what_a_format_cannot_hold_is_said_in_one_warning(format: str, left_out: list[str]) -> None:
    file = read_photo(photographed()).encoded(format)
    (said,) = file.warnings
    assert said.code == "file.metadata"
    assert said.values["left_out"] == left_out
    again = read_photo(file.data).meta
    if "IPTC data" not in left_out:
        assert again.iptc == IPTC


def test_a_jpeg_encoded_anew_keeps_comments_and_iptc() -> None:
    file = read_photo(photographed()).encoded("jpg", quality=90)
    again = read_photo(file.data).meta
    assert file.warnings == ()
    assert again.iptc == IPTC
    assert again.comments == ("첫 번째".encode(), b"second")


def test_comments_of_a_jpeg_become_texts_of_a_png() -> None:
    data = with_segments(
        KINDS["4:2:0"](9, 9, 0),
        JpegSegment(0xFE, "첫 번째".encode()),
        JpegSegment(0xFE, b"Andr\xe9"),
    )
    image: Any = Image.open(io.BytesIO(read_photo(data).to_bytes("png")))
    image.load()
    assert "Comment" in image.text
    names = [bytes(value) for _, value in read_photo(read_photo(data).to_bytes("png")).meta.chunks]
    assert [name.rpartition(b"\0")[2] for name in names] == ["첫 번째".encode(), b"Andr\xe9"]


def png_with(image: Image.Image, *chunks: tuple[bytes, bytes]) -> bytes:
    data = pil_file(image, "PNG")
    return data[:33] + b"".join(png_chunk(*chunk) for chunk in chunks) + data[33:]


COLOR = [
    (b"gAMA", struct.pack(">I", 100000)),
    (b"cHRM", struct.pack(">8I", 31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)),
    (b"cICP", bytes([12, 13, 0, 1])),
]
TEXT = [
    (b"tEXt", b"Title\0a title"),
    (b"zTXt", b"Software\0\0" + b"x\x9cK\xce\xcf-(J-.NMQ(I\xad(\x01\x00*\xc1\x05\xcf"),
    (b"iTXt", b"Author\0\0\0\0\0" + "김".encode()),
]


@pytest.mark.parametrize("depth", [8, 16])
def test_a_png_keeps_texts_and_color_space(depth: int) -> None:
    data = png_with(Image.fromarray(texture(9, 13, 3)), *COLOR, *TEXT)
    photo = read_photo(data)
    if depth == 16:
        deep = photo.pixels.astype(np.uint16) * 257
        photo = Photo(deep, None, photo.meta)
    file = photo.encoded("png")
    assert file.warnings == ()
    for kind, body in [*COLOR, *TEXT]:
        assert file.data.count(png_chunk(kind, body)) == 1
    assert (read_photo(file.data).pixels == photo.pixels).all()
    (said,) = photo.encoded("tif").warnings
    assert said.values["left_out"] == ["PNG texts", "color space (cHRM, cICP, gAMA)"]


def test_a_png_that_says_srgb_loses_no_color_space() -> None:
    data = png_with(Image.fromarray(texture(9, 13, 3)), (b"sRGB", b"\0"), COLOR[0], COLOR[1])
    photo = read_photo(data)
    assert photo.encoded("tif").warnings == ()
    assert png_chunk(b"sRGB", b"\0") in photo.to_bytes("png")


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_tiff_keeps_its_own_tags(order: Any) -> None:
    tags = [
        (0x010E, 2, 0, "설명".encode() + b"\0", True),
        (0x8298, 2, 0, b"Andr\xe9\0", True),
        (700, 1, len(PACKET), PACKET, True),
        (33723, 7, len(IPTC), IPTC, True),
        (0xC4A5, 7, 4, b"\1\2\3\4", True),
    ]
    file = io.BytesIO()
    tifffile.imwrite(file, texture(9, 13, 3), byteorder=order, extratags=tags, metadata=None)
    photo = read_photo(file.getvalue())
    again = read_photo(photo.to_bytes("tif"))
    for found in (photo.meta, again.meta):
        kept = tags_of(found.exif or b"")
        assert kept[0x010E] == Tag(2, "설명".encode() + b"\0")
        assert kept[0x8298] == Tag(2, b"Andr\xe9\0")
        assert kept[0xC4A5] == Tag(7, b"\1\2\3\4")
        assert found.iptc == IPTC
        assert b"dc:creator" in (found.xmp or b"")
    assert (again.pixels == photo.pixels).all()
    assert (tifffile.imread(io.BytesIO(photo.to_bytes("tif"))) == photo.pixels).all()


@pytest.mark.parametrize("format", ["jpg", "png", "webp", "tif"])
def test_exif_text_that_is_not_ascii(format: str) -> None:
    before = Image.open(case("exif-text-not-ascii", "photo.jpg")).getexif()
    photo = changed(read_photo(case("exif-text-not-ascii", "photo.jpg")))
    after = Image.open(io.BytesIO(photo.to_bytes(format))).getexif()
    for tag in (0x010E, 0x013B, 0x8298):
        assert after[tag] == before[tag]
    assert any(ord(letter) > 127 for letter in after[0x010E] + after[0x013B])


def test_avif_metadata_keeps_its_bytes() -> None:
    exif = b"Exif\0\0" + camera_exif(orientation=0)  # Pillow writes a block with one anew
    image = Image.fromarray(texture(24, 24, 3))
    meta = read_photo(pil_file(image, "AVIF", exif=exif, xmp=PACKET)).meta
    assert tags_of(meta.exif or b"")[0x013B] == Tag(2, "김철수".encode("euc-kr") + b"\0")
    assert b"dc:creator" in (meta.xmp or b"")
    assert b"REMOVED" not in (meta.exif or b"") + (meta.xmp or b"")
    assert meta.warnings == ()


def test_sizes_in_exif_are_swapped_where_the_pixels_are_turned() -> None:
    photo = read_photo(case("exif-text-not-ascii", "turned.jpg"))
    for format in ("png", "jpg"):
        image = Image.open(io.BytesIO(photo.to_bytes(format)))
        exif = image.getexif().get_ifd(EXIF_IFD)
        assert image.size == (exif[0xA002], exif[0xA003])


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("anim.png", "file.frames"),
        ("anim.webp", "file.frames"),
        ("anim.gif", "file.frames"),
        ("pages.tif", "file.pages"),
        ("gainmap.jpg", "file.pictures"),
    ],
)
def test_frames_pages_and_gain_maps_that_are_left_out_are_said(name: str, code: str) -> None:
    path = case("frames-pages-gainmap-dropped", name)
    found = {warning.code: warning for warning in read_photo(path).meta.warnings}
    assert code in found
    if code != "file.pictures":
        number = getattr(Image.open(path), "n_frames", 1)
        assert number > 1
        assert f"the first of {number}" in str(found[code])


def test_an_hdr_gain_map_is_called_by_its_name() -> None:
    data = case("frames-pages-gainmap-dropped", "gainmap.jpg").read_bytes()
    packet = b'http://ns.adobe.com/xap/1.0/\0<x hdrgm:Version="1.0"/>'
    photo = read_photo(with_segments(data, JpegSegment(0xE1, packet)))
    assert [warning.code for warning in photo.meta.warnings] == ["file.gain_map"]
    file = photo.encoded("jpg")
    assert file.data.count(b"\xff\xd8\xff") == 1


def test_previews_in_a_tiff_are_no_pages() -> None:
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        writer.write(texture(9, 13, 3))
        writer.write(texture(5, 7, 3), subfiletype=1)
    assert read_photo(file.getvalue()).meta.warnings == ()


def test_what_follows_a_jpeg_is_said() -> None:
    plain = KINDS["4:2:0"](9, 9, 0)
    video = plain + bytes(4) + b"\0\0\0\x18ftypmp42" + bytes(range(256)) * 4
    for data, code, what in (
        (video, "file.trailer", "video"),
        (plain + b"some bytes", "file.trailer", "10 bytes"),
        (with_segments(plain, JpegSegment(0xEB, b"JP\0\1jumb")), "file.credentials", "credentials"),
        (
            with_segments(plain, JpegSegment(0xE1, b"http://ns.adobe.com/xmp/extension/\0..")),
            "file.extended_xmp",
            "XMP",
        ),
    ):
        photo = read_photo(data)
        (said,) = photo.meta.warnings
        assert said.code == code
        assert what in str(said)
        file = photo.encoded("jpg")
        assert b"ftyp" not in file.data
        assert b"jumb" not in file.data
        assert b"extension" not in file.data
    assert read_photo(plain + bytes(20)).meta.warnings == ()


def test_a_pil_image_keeps_what_pillow_read() -> None:
    image = Image.open(io.BytesIO(photographed()))
    meta = read_photo(image).meta
    assert tags_of(meta.exif or b"")[0x013B] == Tag(2, "김철수".encode("euc-kr") + b"\0")
    assert b"dc:creator" in (meta.xmp or b"")
    image.getexif()[0x010F] = "set by the caller"
    kept = tags_of(read_photo(image).meta.exif or b"")
    assert kept[0x010F] == Tag(2, b"set by the caller\0")


def test_tags_that_share_their_bytes_take_no_memory() -> None:
    block = bytearray(exif_block("<", {0x010E: Tag(2, b"x" * 50_000)}))
    entry = block[10:22]
    many = struct.pack("<H", 3000) + bytes(entry) * 3000 + bytes(4)
    bomb = bytes(block[:4]) + struct.pack("<I", len(block)) + bytes(block[8:]) + many
    with pytest.raises(ValueError, match="more bytes than the file has"):
        read_tags(Block(bomb))
