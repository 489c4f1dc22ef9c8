"""Encodes planes as PIL images or files, with warnings about what a file leaves out."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from gatefill.errors import ConfigError, Warning
from gatefill.images import apart
from gatefill.images.contents import TEXTS
from gatefill.images.convert import Pixels
from gatefill.images.damage import is_ours
from gatefill.images.jpeg_segments import COM, MOST, JpegSegment, iptc_segment, with_more
from gatefill.images.jpeg_write import as_source
from gatefill.images.meta import Meta, first_line
from gatefill.images.notes import became_srgb
from gatefill.images.png16 import encode_png16, with_chunks
from gatefill.images.source import ImageError
from gatefill.images.tiff_write import encode_tiff
from gatefill.images.xmp import XMP_TEXT
from gatefill.settings import expect_type

_KNOW_ALPHA = ("PNG", "WEBP", "TIFF", "AVIF")
_KNOW_16_BITS = ("PNG", "TIFF")
_EXIF_PREFIX = b"Exif\0\0"
_LIMITED = ("exif", "xmp", "iptc")
_JPEG_SEGMENT = 65533 - 64  # largest EXIF, XMP or IPTC block of a JPEG
_SLOWNESS = {"PNG": 2, "WEBP": 4, "AVIF": 4}  # encoding time relative to JPEG, roughly
_JPEG_QUALITY, _WEBP_QUALITY, _AVIF_QUALITY = 95, 90, 90


class Encoded(NamedTuple):
    """The content of a file, and warnings about what it leaves out."""

    data: bytes
    warnings: tuple[Warning, ...]


def encode(
    pixels: Pixels,
    alpha: Pixels | None,
    meta: Meta,
    format: str,
    *,
    quality: int | None = None,
    lossless: bool | None = None,
) -> Encoded:
    """Encode a photo with its metadata as a file.

    Args:
        pixels: ``HWC`` uint8 or uint16, upright.
        alpha: ``HW`` of the same dtype, or None.
        meta: Metadata of the photo.
        format: One of the formats in `OUTPUT_SUFFIXES`.
        quality: 1 to 100, for JPEG, AVIF and lossy WebP only. Default: a JPEG from a JPEG keeps its
            unchanged blocks; otherwise 95 for JPEG, 90 for WebP and AVIF.
        lossless: Whether WebP is lossless. Default: True, unless the source was a lossy WebP or a
            quality is given.

    Returns:
        The content of the file, and warnings about what it leaves out.

    Raises:
        ConfigError: For a quality out of range, or if the format cannot be lossless.
        ImageError: If the photo cannot be written in that format.
    """
    check_options(format, quality, lossless)
    if quality is not None:
        quality = int(quality)  # encoders take no numpy scalars
    slow = _SLOWNESS.get(format, 1) * pixels.shape[0] * pixels.shape[1]
    return apart.call(_encode, slow, pixels, alpha, meta, format, quality, lossless)


def _encode(
    pixels: Pixels,
    alpha: Pixels | None,
    meta: Meta,
    format: str,
    quality: int | None,
    lossless: bool | None,
) -> Encoded:
    found: list[Warning] = []
    if format == "WEBP" and lossless is None:
        lossless = quality is None and not (meta.lossy and meta.format == "WEBP")
    lossy = format in ("JPEG", "AVIF") or (format == "WEBP" and not lossless)
    if alpha is not None and format not in _KNOW_ALPHA:
        if (alpha != np.iinfo(alpha.dtype).max).any():
            found.append(_said("file.alpha", meta, f"{format} has no transparency: put on white"))
            pixels = _on_white(pixels, alpha)
        alpha = None
    if pixels.dtype == np.uint16 and format not in _KNOW_16_BITS:
        text = f"its 16 bits are rounded to the 8 that {format} holds"
        found.append(_said("file.depth", meta, text, format=format))
        pixels, alpha = _to_8_bits(pixels), None if alpha is None else _to_8_bits(alpha)
    if lossy and meta.format and not meta.lossy:
        text = f"a lossless photo is written as lossy {format}: known pixels change, too"
        found.append(_said("file.lossy", meta, text))
    data = None
    if format == "JPEG" and quality is None:
        data, notes = as_source(pixels, meta)
        found += notes
        if data is not None and not notes:
            return Encoded(data, tuple(found))
    if meta.converted:
        found.append(became_srgb(meta.name, meta.converted))
    if data is not None:
        return Encoded(data, tuple(found))
    if lossy and format in ("WEBP", "AVIF") and meta.lossy and meta.format == format:
        text = "a lossy WebP is re-encoded as a whole; lossless keeps every known pixel"
        if format == "AVIF":
            text = "an AVIF is re-encoded as a whole; PNG keeps every known pixel"
        found.append(_said("file.reencoded", meta, text))
    meta, dropped = _fitted(meta, format)
    if dropped:
        text = f"{format} cannot hold its {', '.join(dropped)}: left out"
        found.append(_said("file.metadata", meta, text, left_out=dropped))
    options: dict[str, Any] = {}
    if format == "JPEG":
        options |= {"quality": quality or _JPEG_QUALITY}
        options |= {"subsampling": meta.subsampling or "4:4:4"}
    elif format == "AVIF":
        options |= {"quality": quality or _AVIF_QUALITY, "subsampling": "4:4:4"}
    elif lossy:
        options |= {"quality": quality or _WEBP_QUALITY}
    elif format == "WEBP":
        options |= {"lossless": True, "exact": True}  # exact: keep the colors under alpha 0
    try:
        data = _encoded(pixels, alpha, meta, format, options)
    except Exception as error:  # such as sides too long for JPEG or WebP
        if is_ours(error):
            raise
        raise ImageError(
            f"{meta.name} cannot be written as {format}: {first_line(error)}",
            code="output.format",
            name=meta.name,
            format=format,
            reason=first_line(error),
        ) from error
    return Encoded(data, tuple(found))


def check_options(format: str, quality: int | None, lossless: bool | None) -> None:
    """Check the options for writing a file.

    Args:
        format: One of the formats in `OUTPUT_SUFFIXES`.
        quality: 1 to 100, or None.
        lossless: See `encode`.

    Raises:
        ConfigError: For a quality out of range, and for options that the format does not have or
            that exclude each other.
    """
    if quality is not None:
        expect_type(int, quality=quality)
    if quality is not None and not 1 <= quality <= 100:
        raise ConfigError(
            f"expected a quality from 1 to 100, got {quality}",
            code="output.quality",
            quality=quality,
        )
    if lossless and format in ("JPEG", "AVIF"):
        raise ConfigError(
            f"expected a format that can be lossless, such as PNG or WebP, got {format}",
            code="output.lossless",
        )
    if lossless and quality is not None:
        raise ConfigError("expected a quality or lossless, got both", code="output.lossless")


def _said(code: str, meta: Meta, text: str, **values: Any) -> Warning:
    return Warning(code, f"{meta.name}: {text}", {"name": meta.name} | values)


_HELD = {
    "exif": ("EXIF data", ("JPEG", "PNG", "WEBP", "TIFF", "AVIF")),
    "icc": ("color profile", ("JPEG", "PNG", "WEBP", "TIFF", "AVIF")),
    "xmp": ("XMP data", ("JPEG", "PNG", "WEBP", "TIFF", "AVIF")),
    "iptc": ("IPTC data", ("JPEG", "TIFF")),
    "comments": ("comments", ("JPEG", "PNG")),
}
"""The name of each field of `Meta` in messages, and the formats that can store it."""


def _fitted(meta: Meta, format: str) -> tuple[Meta, list[str]]:
    """Return the part of `meta` that a file of `format` can store, and the names of the rest."""
    gone, names = set(), []
    for field, (name, formats) in _HELD.items():
        value = getattr(meta, field)
        long = format == "JPEG" and field in _LIMITED and len(value or b"") > _JPEG_SEGMENT
        if value and (long or format not in formats):
            gone.add(field)
            names.append(name + (" (too long)" if long else ""))
    if format != "PNG":
        kinds = {kind for kind, _ in meta.chunks}
        names += ["PNG texts"] if kinds & {*TEXTS} else []
        if meta.icc or b"sRGB" in kinds:  # these chunks are then redundant
            kinds -= {b"gAMA", b"cHRM", b"sRGB"}
        if space := b", ".join(sorted(kinds - {*TEXTS})).decode():
            names.append(f"color space ({space})")
    left: dict[str, Any] = {field: () if field == "comments" else None for field in gone}
    return replace(meta, **left), names


def _encoded(
    pixels: Pixels, alpha: Pixels | None, meta: Meta, format: str, options: dict[str, Any]
) -> bytes:
    planes: Any = pixels if alpha is None else np.dstack([pixels, alpha])
    if format == "TIFF":
        return encode_tiff(
            planes, icc=meta.icc, exif=meta.exif, dpi=meta.dpi, xmp=meta.xmp, iptc=meta.iptc
        )
    if pixels.dtype == np.uint16:
        data = encode_png16(planes, icc=meta.icc, exif=meta.exif, dpi=meta.dpi)
    else:
        if format in ("JPEG", "WEBP", "AVIF") and meta.xmp:
            options |= {"xmp": meta.xmp}
        file = io.BytesIO()
        to_pil(pixels, alpha, meta).save(file, format=format, **_options(meta), **options)
        data = file.getvalue()
    if format == "PNG":
        return with_chunks(data, [*_comment_chunks(meta), *meta.chunks, *_xmp_chunks(meta)])
    if format == "JPEG":
        segments = [iptc_segment(meta.iptc)] if meta.iptc else []
        segments += [JpegSegment(COM, comment[:MOST]) for comment in meta.comments]
        return with_more(data, segments) if segments else data
    return data


def _options(meta: Meta) -> dict[str, Any]:
    """Return Pillow's keyword arguments for metadata."""
    options = {
        "dpi": meta.dpi,
        "icc_profile": meta.icc,
        "exif": meta.exif and _EXIF_PREFIX + meta.exif,
    }
    return {name: value for name, value in options.items() if value}


def _xmp_chunks(meta: Meta) -> list[tuple[bytes, bytes]]:
    return [(b"iTXt", XMP_TEXT + bytes(4) + meta.xmp)] if meta.xmp else []


def _comment_chunks(meta: Meta) -> list[tuple[bytes, bytes]]:
    """Return a JPEG's comments as PNG texts; bytes that are not UTF-8 are read as Latin-1."""
    chunks = []
    for comment in meta.comments:
        text = comment.replace(b"\0", b"")
        try:
            text.decode()
            chunks.append((b"iTXt", b"Comment" + bytes(5) + text))
        except UnicodeDecodeError:
            chunks.append((b"tEXt", b"Comment\0" + text))
    return chunks


def to_pil(pixels: Pixels, alpha: Pixels | None, meta: Meta) -> PIL.Image.Image:
    """Make a PIL image L, LA, RGB or RGBA of 8 bits, or ``I;16`` for 16-bit gray."""
    if pixels.dtype == np.uint16 and (alpha is not None or pixels.shape[2] == 3):
        pixels, alpha = _to_8_bits(pixels), None if alpha is None else _to_8_bits(alpha)
    planes: Any = pixels if alpha is None else np.dstack([pixels, alpha])
    image = PIL.Image.fromarray(planes[..., 0] if planes.shape[2] == 1 else planes)
    extras = {
        "exif": meta.exif and _EXIF_PREFIX + meta.exif,
        "icc_profile": meta.icc,
        "dpi": meta.dpi,
        "xmp": meta.xmp,
    }
    image.info.update({name: value for name, value in extras.items() if value})
    return image


def _to_8_bits(plane: NDArray[Any]) -> NDArray[np.uint8]:
    """Return the nearest 8-bit values of 16-bit ones: 65535 / 257 = 255."""
    return ((plane.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _on_white(pixels: Any, alpha: Any) -> Any:
    """Blend colors with white by alpha; opaque pixels stay unchanged."""
    top = np.iinfo(pixels.dtype).max
    share = alpha[..., None].astype(np.float32) / np.float32(top)
    blend = np.rint(pixels * share + top * (1 - share)).astype(pixels.dtype)
    return np.where(alpha[..., None] == top, pixels, blend)
