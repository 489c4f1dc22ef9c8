"""Metadata of a photo, and how it is adapted to an edited photo."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass, field
from typing import Any

from PIL import Image

from gatefill.errors import Warning
from gatefill.images.damage import is_ours

logger = logging.getLogger(__name__)

ORIENTATION = 0x0112
EXIF_IFD, GPS_IFD, INTEROP_IFD = 0x8769, 0x8825, 0xA005

# Tags of a TIFF's first directory that describe its pixel layout (TIFF 6.0, DNG, sub-images,
# tiles), or that are stored elsewhere (ICC, XMP, Photoshop's resources with their thumbnail): they
# would be wrong in another file.
LAYOUT_TAGS = frozenset[int]().union(
    [
        *range(254, 267),
        273,
        *range(277, 282),
        284,
        *range(290, 296),
        297,
        301,
        *range(317, 326),
        330,
    ],
    [*range(332, 344), 347, *range(512, 533), 700, 33723, 34377, 34675, 37724],
)
Subsampling = str
"""Chroma subsampling of a JPEG: ``"4:4:4"``, ``"4:2:2"`` or ``"4:2:0"``."""


@dataclass(frozen=True)
class Meta:
    """The metadata of a photo, written to an output file as far as its format can store it."""

    name: str = "photo"  # name of the file in messages
    format: str | None = None  # "JPEG", "PNG", ...; None for arrays
    exif: bytes | None = None  # a TIFF structure that starts with II or MM, orientation 1
    icc: bytes | None = None
    subsampling: Subsampling | None = None  # None unless the source was a color JPEG
    dpi: tuple[float, float] | None = None  # horizontal, vertical
    xmp: bytes | None = None  # a packet, orientation 1
    iptc: bytes | None = None  # records
    comments: tuple[bytes, ...] = ()  # comments of a JPEG or GIF
    chunks: tuple[tuple[bytes, bytes], ...] = ()  # PNG chunks (kind, body): texts and color space
    converted: str | None = None  # "CMYK" or "LAB", if pixels were converted from it
    lossy: bool = False  # whether the source was encoded with loss
    jpeg: bytes | None = field(default=None, repr=False)  # content of the file, if it is a JPEG
    orientation: int = 1  # EXIF orientation of the file, 1 to 8; the pixels are upright
    warnings: tuple[Warning, ...] = ()  # what was lost or assumed when reading


def orientation_of(exif: Image.Exif) -> int:
    """Return the EXIF orientation, 1 to 8; 1 if it is missing or invalid."""
    value = exif.get(ORIENTATION, 1)
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def clean_exif(exif: Image.Exif, name: str) -> bytes | None:
    """Return the EXIF block for an upright, edited photo, without ``Exif`` prefix; None if empty.

    Orientation becomes 1. The thumbnail, which would still show what was removed, is dropped.
    """
    try:
        kept = Image.Exif()
        kept.endian = exif.endian
        for tag in list(exif):
            if tag not in LAYOUT_TAGS:
                kept[tag] = _directory(exif, tag) if tag in (EXIF_IFD, GPS_IFD) else exif[tag]
        if not len(kept):
            return None
        if ORIENTATION in kept:
            kept[ORIENTATION] = 1
        return kept.tobytes().removeprefix(b"Exif\0\0")
    except Exception as error:  # broken EXIF data must not prevent reading the photo
        if is_ours(error):
            raise
        logger.warning("%s: its EXIF data cannot be kept (%s)", name, first_line(error))
        return None


def _directory(exif: Image.Exif, tag: int) -> dict[int, Any]:
    directory = dict(exif.get_ifd(tag))
    if INTEROP_IFD in directory:
        directory[INTEROP_IFD] = dict(exif.get_ifd(INTEROP_IFD))
    return directory


def clean_dpi(value: object) -> tuple[float, float] | None:
    """Return (horizontal, vertical) if `value` is a pair of plausible numbers, else None."""
    try:
        horizontal, vertical = (float(part) for part in value)  # type: ignore[attr-defined]
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    sensible = all(math.isfinite(part) and 1 <= part <= 1e5 for part in (horizontal, vertical))
    return (horizontal, vertical) if sensible else None


def first_line(error: BaseException) -> str:
    """Return the first line of an exception's message, or the name of its class."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
