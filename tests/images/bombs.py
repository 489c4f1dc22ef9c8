"""Small files that unpack to much more than their pixels: each is to be refused, or be harmless.

Run as a program with the names of files, it reads a small one and then each of them, and prints
the outcome and the most memory that the process had until then, in bytes.
"""

from __future__ import annotations

import io
import lzma
import struct
import sys
import zlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from PIL import Image, TiffImagePlugin

from gatefill.images import ImageError, read_photo
from gatefill.parallel import peak_memory
from tests.images.helpers import mode_image, pil_file, png_chunk

SIZE = 96 << 20  # bytes that each bomb unpacks to
SIDE = 64  # of the photo that it says it is


@cache
def deflated(size: int = SIZE) -> bytes:
    packer = zlib.compressobj(9)
    step = bytes(1 << 20)
    return b"".join(packer.compress(step) for _ in range(size >> 20)) + packer.flush()


def tiff(
    data: bytes, tags: dict[int, int | tuple[int, ...]], previews: int = 0, bits: int = 16
) -> bytes:
    """A TIFF whose first or only strip or tile is `data`; small pages may come before it."""
    where = 325 if 322 in tags else 279
    page = {256: SIDE, 257: SIDE, 258: bits, 259: 8, 262: 1, 277: 1, where: len(data)}
    page[324 if 322 in tags else 273] = 8
    if 322 not in tags:
        page[278] = SIDE
    page.update(tags)
    body, link = data + bytes(len(data) % 2), b""
    pages = [{**page, 254: 1, 256: 4, 257: 4, 279: 16, 278: 4, 259: 1, 258: 8}] * previews + [page]
    offset = 8 + len(body)
    for number, each in enumerate(pages):
        entries = b"".join(
            struct.pack("<HHII", tag, 4, 1, value) for tag, value in sorted(each.items())
        )
        after = offset + 2 + len(entries) + 4
        link += struct.pack("<H", len(each)) + entries
        link += struct.pack("<I", after if number < len(pages) - 1 else 0)
        offset = after
    return b"II*\0" + struct.pack("<I", 8 + len(body)) + body + link


@cache
def lzw(size: int = SIZE) -> bytes:
    """A strip of zeros as libtiff packs it."""
    side = 1 << 13
    image = Image.new("L", (side, size // side))
    data = pil_file(image, "TIFF", compression="tiff_lzw", tiffinfo={278: size // side})
    found = TiffImagePlugin.TiffImageFile(io.BytesIO(data))
    (offset,), (count,) = found.tag_v2[273], found.tag_v2[279]
    return data[offset : offset + count]


def zstd(size: int = SIZE, *, says: bool = True) -> bytes:
    """Blocks of one repeated byte, 128 kB each (RFC 8878), with or without the size in front."""
    block = 1 << 17
    count = size // block
    head = b"\xe0" + struct.pack("<Q", size) if says else b"\x00\x58"
    blocks = b"".join(
        ((block << 3) | 2 | (number == count - 1)).to_bytes(3, "little") + b"\0"
        for number in range(count)
    )
    return b"\x28\xb5\x2f\xfd" + head + blocks


def overlapping(count: int, length: int, filler: int = 0) -> bytes:
    """A TIFF structure of many tags that all have the same bytes for their value."""
    entries = b"".join(
        struct.pack("<HHII", 40000 + number, 7, length, 0) for number in range(count)
    )
    return b"II*\0\x08\0\0\0" + struct.pack("<H", count) + entries + bytes(4 + filler)


def png(*chunks: bytes, pixels: bytes | None = None) -> bytes:
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", SIDE, SIDE, 8, 0, 0, 0, 0))
    body = zlib.compress(bytes(SIDE * (SIDE + 1))) if pixels is None else pixels
    end = png_chunk(b"IDAT", body) + png_chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + end


def segment(marker: int, content: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


def refused() -> Iterator[tuple[str, bytes]]:
    """Files that are to be refused."""
    packed = deflated()
    yield "strip.tif", tiff(packed, {})
    yield "strip8.tif", tiff(packed, {}, bits=8)
    yield "strip1.tif", tiff(packed, {}, bits=1)
    yield "old_deflate.tif", tiff(packed, {259: 32946})
    yield "predictor.tif", tiff(packed, {317: 2})
    yield "float.tif", tiff(packed, {317: 3, 339: 3}, bits=32)
    yield "half_float.tif", tiff(packed, {339: 3})
    yield "tile.tif", tiff(packed, {322: 64, 323: 64})
    yield "tile8.tif", tiff(packed, {322: 64, 323: 64}, bits=8)
    yield "pages.tif", tiff(packed, {}, previews=3)
    turned = bytes(int(f"{value:08b}"[::-1], 2) for value in range(256))
    yield "reversed.tif", tiff(packed.translate(turned), {266: 2})
    yield "huge_tile.tif", tiff(packed, {322: 20000, 323: 20000})
    yield "huge_tile8.tif", tiff(packed, {322: 20000, 323: 20000}, bits=8)
    xz = lzma.compress(bytes(SIZE), preset=0)
    yield "lzma.tif", tiff(xz, {259: 34925})
    yield "lzma8.tif", tiff(xz, {259: 34925}, bits=8)
    yield "lzw.tif", tiff(lzw(), {259: 5})
    yield "lzw8.tif", tiff(lzw(), {259: 5}, bits=8)
    yield "packbits.tif", tiff(b"\x81\0" * (SIZE // 128), {259: 32773})
    yield "packbits8.tif", tiff(b"\x81\0" * (SIZE // 128), {259: 32773}, bits=8)
    yield "zstd.tif", tiff(zstd(), {259: 50000})
    yield "zstd8.tif", tiff(zstd(), {259: 50000}, bits=8)
    large = pil_file(Image.new("L", (12000, 12000)), "JPEG")
    yield "jpeg.tif", tiff(large, {259: 7}, bits=8)
    yield "jpeg_tile.tif", tiff(large, {259: 7, 322: 64, 323: 64}, bits=8)
    yield "rows.tif", tiff(packed, {278: 1 << 31})
    yield "palette.tif", tiff(packed, {262: 3}, bits=8)
    yield "cmyk.tif", tiff(packed, {262: 5, 277: 4}, bits=8)
    yield "planar.tif", tiff(packed, {262: 2, 277: 3, 284: 2}, bits=8)
    yield "bits4.tif", tiff(packed, {}, bits=4)
    yield "tags.tif", overlapping(2000, 1 << 20, 1 << 20)


def harmless() -> Iterator[tuple[str, bytes]]:
    """Files whose photo is sound: what is beside it is not unpacked, or left out."""
    packed = deflated()
    yield "iccp.png", png(png_chunk(b"iCCP", b"big\0\0" + packed))
    yield "ztxt.png", png(png_chunk(b"zTXt", b"big\0\0" + packed))
    yield "itxt.png", png(png_chunk(b"iTXt", b"big\0\1\0\0\0" + packed))
    yield "exif.png", png(png_chunk(b"eXIf", overlapping(4000, 1 << 20, 1 << 20)))
    yield "pixels.png", png(pixels=packed)
    bomb = overlapping(5000, 60000)
    yield "exif.jpg", pil_file(mode_image("RGB"), "JPEG", exif=b"Exif\0\0" + bomb)
    yield "exif.webp", pil_file(mode_image("RGB"), "WEBP", exif=overlapping(4000, 1 << 20, 1 << 20))
    plain = pil_file(mode_image("RGB"), "JPEG")
    yield "mpf.jpg", plain[:2] + segment(0xE2, b"MPF\0" + bomb) + plain[2:]
    yield "zstd_unsaid.tif", tiff(zstd(says=False), {259: 50000})
    yield "long.gif", pil_file(mode_image("P"), "GIF")[:-1] + bytes(1 << 20)


def main(paths: list[str]) -> None:
    for path in ["", *paths]:
        try:
            source = path or pil_file(mode_image("RGB"), "PNG")
            outcome = "x".join(map(str, read_photo(source).size))
        except ImageError as error:
            outcome = error.code
        most = peak_memory() or 0  # Windows does not tell
        sys.stdout.write(f"{Path(path).name} {outcome} {most}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
