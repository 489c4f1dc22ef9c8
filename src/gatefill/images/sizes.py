"""Reads the size of an image file without decoding its pixels."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable

from PIL import AvifImagePlugin, BmpImagePlugin, PpmImagePlugin

from gatefill.images import heif, jpeg_read, png_read
from gatefill.images.damage import is_ours
from gatefill.images.kinds import format_of
from gatefill.images.meta import first_line
from gatefill.images.source import ImageError
from gatefill.images.tiff_read import TiffPage


def size_of(data: bytes, label: str = "photo") -> tuple[int, int]:
    """Return (width, height) of an image file as stored, without decoding its pixels.

    Args:
        data: The content of the file.
        label: Name of the file in messages.

    Raises:
        ImageError: If the file is damaged, or of an unknown format.
    """
    kind = format_of(data, label)
    try:
        return SIZES[kind](data, label)
    except ImageError:
        raise
    except Exception as error:
        if is_ours(error):
            raise
        raise corrupt(label, kind, error) from error


def most_depth(data: bytes) -> int:
    """Return the largest possible bytes per channel, 1 or 2, judged by the header."""
    kind = format_of(data, "photo")
    if kind == "PNG":
        return 2 if data[24:25] == b"\x10" else 1
    return 2 if kind in ("TIFF", "HEIF", "PNM") else 1


def corrupt(label: str, kind: str, error: Exception) -> ImageError:
    return ImageError(
        f"{label}: truncated or corrupt {kind} ({first_line(error)})",
        code="image.corrupt",
        name=label,
        kind=kind,
    )


def check_size(width: int, height: int, label: str, max_pixels: int) -> None:
    """Raise ImageError for an image without pixels, or with more than `max_pixels`."""
    if width < 1 or height < 1:
        raise ImageError(
            f"{label}: expected at least one pixel, got {width} x {height}", code="image.size"
        )
    if width * height > max_pixels:
        raise ImageError(
            f"{label} has {width} x {height} = {width * height:,} pixels, more than the limit of "
            f"{max_pixels:,} (max_pixels)",
            code="image.pixels",
            width=width,
            height=height,
            max_pixels=max_pixels,
        )


def webp_size(data: bytes) -> tuple[int, int]:
    """Return width and height from the first chunk of a WebP."""
    kind = data[12:16]
    if kind == b"VP8X":
        return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
    if kind == b"VP8L":
        (bits,) = struct.unpack("<I", data[21:25])
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    width, height = struct.unpack("<HH", data[26:30])
    return width & 0x3FFF, height & 0x3FFF


def _png_size(data: bytes, label: str) -> tuple[int, int]:
    png = png_read.open_png(data, label)
    return png.width, png.height


def _tiff_size(data: bytes, label: str) -> tuple[int, int]:
    page = TiffPage(data, label)
    return page.width, page.height


SIZES: dict[str, Callable[[bytes, str], tuple[int, int]]] = {
    "JPEG": lambda data, _: jpeg_read.open_jpeg(jpeg_read.without_bombs(data)[0]).size,
    "PNG": _png_size,
    "WebP": lambda data, _: webp_size(data),
    "TIFF": _tiff_size,
    "BMP": lambda data, _: BmpImagePlugin.BmpImageFile(io.BytesIO(data)).size,
    "GIF": lambda data, _: struct.unpack_from("<HH", data, 6),
    "PNM": lambda data, _: PpmImagePlugin.PpmImageFile(io.BytesIO(data)).size,
    "AVIF": lambda data, _: AvifImagePlugin.AvifImageFile(io.BytesIO(data)).size,
    "HEIF": lambda data, label: heif.open_heif(data, label).size,
}
