"""Reads what an image file contains besides pixels, as bytes that can be written again."""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import PIL.Image
from PIL import JpegImagePlugin

from gatefill.errors import GatefillError, Warning
from gatefill.images.damage import DamagedError
from gatefill.images.exif import Block, upright, without_previews
from gatefill.images.jpeg_segments import (
    APP1,
    COM,
    EXIF_PREFIX,
    iptc_in,
    iptc_of,
    layout_of,
    left_out,
)
from gatefill.images.meta import ORIENTATION, Meta
from gatefill.images.notes import chunks_left_out
from gatefill.images.tiff_directory import COMPRESSION, Tiff
from gatefill.images.tiff_tags import IPTC_TAG, XMP_TAG, Tag, exif_block, read_tags, without_layout
from gatefill.images.xmp import PACKET, XMP_TEXT, upright_xmp, without_pictures

TEXTS = (b"tEXt", b"zTXt", b"iTXt")
_COLOR = (b"gAMA", b"cHRM", b"sRGB", b"cICP", b"mDCV", b"cLLI")
# PNG texts in which old programs store metadata that now has a chunk of its own.
_PROFILES = tuple(b"Raw profile type " + name + b"\0" for name in (b"exif", b"APP1", b"xmp"))
_MOST_TEXT = 16 << 20  # bytes of a decompressed XMP packet
_PHOTOSHOP_TAG, _LOSSY = 34377, (6, 7)  # values of the compression tag


def with_contents(meta: Meta, data: bytes, format: str) -> Meta:
    """Add to `meta` what its file contains, and warnings about what will be lost.

    Args:
        meta: The metadata found when the pixels were read.
        data: The content of the file.
        format: Its format, as named by `decode`.

    Returns:
        A new `Meta`.
    """
    read = _READERS.get(format)
    try:
        found = {} if read is None else read(data, meta.name)
    except (
        DamagedError,
        GatefillError,
        IndexError,
        struct.error,
    ):  # truncated, or damaged in parts other than pixels
        return replace(meta, lossy=format == "JPEG")
    return _with(meta, **found)


def with_info(meta: Meta, image: PIL.Image.Image) -> Meta:
    """Add to `meta` what Pillow read from the file of an image, unless the caller changed it."""
    block = image.info.get("exif")
    found: dict[str, Any] = {}
    if isinstance(block, bytes) and _is_unchanged(image):
        found["exif"] = block.removeprefix(EXIF_PREFIX)
    xmp, comment = image.info.get("xmp"), image.info.get("comment")
    if isinstance(xmp, bytes):
        found["xmp"] = xmp
    if isinstance(comment, (bytes, str)):
        text = comment if isinstance(comment, bytes) else comment.encode("utf-8", "replace")
        found["comments"] = (text,)
    if isinstance(image, JpegImagePlugin.JpegImageFile):
        found["lossy"] = True
    return _with(meta, **found)


def _is_unchanged(image: PIL.Image.Image) -> bool:
    """Return whether the EXIF tags of an image are still those of its file.

    Tags that a caller has set are in `Image.getexif` only, which knows fewer types.
    """
    block = image.info.get("exif")
    read = PIL.Image.Exif()
    if isinstance(block, bytes):
        read.load(block)
    tags = dict(image.getexif())
    if ORIENTATION not in read:  # Pillow then takes it from XMP
        tags.pop(ORIENTATION, None)
    return dict(read) == tags


def jpeg_file_of(image: PIL.Image.Image) -> bytes | None:
    """Return the JPEG file that a PIL image was opened from, if it can still be read.

    None if the caller has changed the image's size or tags, or if the file has changed since.
    """
    if not isinstance(image, JpegImagePlugin.JpegImageFile) or not _is_unchanged(image):
        return None
    try:
        if image.fp is not None:  # not loaded yet
            at = image.fp.tell()
            image.fp.seek(0)
            data = image.fp.read()
            image.fp.seek(at)
        elif image.filename:
            data = Path(os.fsdecode(image.filename)).read_bytes()
        else:
            return None
        other = JpegImagePlugin.jpeg_factory(io.BytesIO(data))
    except (OSError, ValueError, SyntaxError):  # deleted, closed, or replaced by another file
        return None
    same = other.size == image.size and other.quantization == image.quantization
    return data if same and other.info.get("exif") == image.info.get("exif") else None


def _with(
    meta: Meta,
    exif: bytes | None = None,
    xmp: bytes | None = None,
    warnings: tuple[Warning, ...] = (),
    **found: Any,
) -> Meta:
    said = [*meta.warnings, *warnings]
    if exif is not None:
        cleaned = without_previews(exif)
        if cleaned is None:
            text = f"{meta.name}: its EXIF data is damaged and left out"
            said.append(Warning("file.exif", text, {"name": meta.name}))
        found["exif"] = None if cleaned is None else upright(cleaned)
    if xmp is not None:
        found["xmp"] = upright_xmp(without_pictures(xmp))
    return replace(meta, warnings=tuple(said), **found)


def _frames(label: str, number: int, what: str = "frames") -> tuple[Warning, ...]:
    if number < 2:
        return ()
    text = f"{label}: only the first of {number} {what} is filled, the others are left out"
    code = "file.pages" if what == "pages" else "file.frames"
    return (Warning(code, text, {"name": label, "number": number}),)


def _jpeg(data: bytes, label: str) -> dict[str, Any]:
    head = layout_of(data).head
    found: dict[str, Any] = {
        "jpeg": data,
        "lossy": True,
        "comments": tuple(payload for marker, payload in head if marker == COM),
        "iptc": iptc_of(head),
        "warnings": tuple(left_out(data, label)),
    }
    exif = [part for marker, part in head if marker == APP1 and part.startswith(EXIF_PREFIX)]
    xmp = [part for marker, part in head if marker == APP1 and part.startswith(PACKET)]
    if exif:
        found["exif"] = b"".join(part[len(EXIF_PREFIX) :] for part in exif)
    if xmp:
        found["xmp"] = xmp[0][len(PACKET) :]
    return found


def _png(data: bytes, label: str) -> dict[str, Any]:
    found: dict[str, Any] = {"warnings": ()}
    kept = []
    for kind, body in png_chunks(data):
        if kind == b"acTL":
            found["warnings"] += _frames(label, int.from_bytes(body[:4], "big"))
        elif kind == b"eXIf":
            found["exif"] = body.removeprefix(EXIF_PREFIX)
        elif kind == b"iTXt" and body.startswith(XMP_TEXT):
            found["xmp"] = _text_of(body.removeprefix(XMP_TEXT))
            if found["xmp"] is None:
                found["warnings"] += (chunks_left_out(label, ("iTXt",)),)
        elif kind in _COLOR or (kind in TEXTS and not body.startswith(_PROFILES)):
            kept.append((kind, body))
    found["chunks"] = tuple(kept)
    return found


def _text_of(body: bytes) -> bytes | None:
    """Return the text in an iTXt chunk after its keyword; None if it cannot be decompressed."""
    # After the compression flag and method: the language, the translated keyword, the text.
    text = body[2:].split(b"\0", 2)[-1]
    if not body.startswith(b"\1"):
        return text
    decoder = zlib.decompressobj()
    try:
        unpacked = decoder.decompress(text, _MOST_TEXT)
    except zlib.error:
        return None
    return unpacked if decoder.eof else None


def png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield (kind, body) of each chunk of a PNG file."""
    at = 8
    while at + 12 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        yield data[at + 4 : at + 8], data[at + 8 : at + 8 + size]
        at += 12 + size


def _webp(data: bytes, label: str) -> dict[str, Any]:
    found: dict[str, Any] = {"lossy": False}
    at, frames, kinds = 12, 0, set()
    while at + 8 <= len(data):
        kind, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        body = data[at + 8 : at + 8 + size]
        if kind == b"EXIF":
            found["exif"] = body.removeprefix(EXIF_PREFIX)
        elif kind == b"XMP ":
            found["xmp"] = body
        frames += kind == b"ANMF"
        kinds.add(kind)
        # The chunks of a frame follow 16 bytes with its position.
        at += 24 if kind == b"ANMF" and frames == 1 else 8 + size + size % 2
    found["lossy"] = b"VP8 " in kinds
    found["warnings"] = _frames(label, frames)
    return found


def _gif(data: bytes, label: str) -> dict[str, Any]:
    """Count the frames by the blocks of the GIF89a specification, and collect comments."""
    frames, comments = 0, []
    at = 13 + _color_table(data[10])
    while at < len(data) and data[at] in b"\x21\x2c":
        if data[at] == 0x2C:
            frames += 1
            at += 10 + _color_table(data[at + 9]) + 1
            kind = 0
        else:
            kind = data[at + 1]
            at += 2
        parts = []
        while size := data[at]:
            parts.append(data[at + 1 : at + 1 + size])
            at += 1 + size
        at += 1
        if kind == 0xFE:
            comments.append(b"".join(parts))
    return {"comments": tuple(comments), "warnings": _frames(label, frames)}


def _color_table(flags: int) -> int:
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _tiff(data: bytes, label: str) -> dict[str, Any]:
    tiff = Tiff(data, label)
    page = tiff.photo()
    pages = sum(each.is_photo for each in tiff.pages)
    found: dict[str, Any] = {
        "warnings": _frames(label, pages, "pages"),
        "lossy": page.integer(COMPRESSION) in _LOSSY,
    }
    if tiff.is_big:  # its tags do not fit an EXIF block
        return found
    block = Block(tiff.beginning_with(page))
    tags = read_tags(block)
    kept = without_layout(tags)
    if kept:
        found["exif"] = exif_block(block.order, kept)
    xmp, iptc, photoshop = (tags.get(tag) for tag in (XMP_TAG, IPTC_TAG, _PHOTOSHOP_TAG))
    if isinstance(xmp, Tag):
        found["xmp"] = xmp.data
    if isinstance(iptc, Tag):
        found["iptc"] = iptc.data
    elif isinstance(photoshop, Tag):
        found["iptc"] = iptc_in(photoshop.data)
    return found


_READERS: dict[str, Callable[[bytes, str], dict[str, Any]]] = {
    "JPEG": _jpeg,
    "PNG": _png,
    "WebP": _webp,
    "GIF": _gif,
    "TIFF": _tiff,
}
