"""Metadata of a photo, and how it is adapted to a changed photo."""

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

# Tags of a TIFF's first directory that describe how its pixels are laid out (TIFF 6.0, DNG,
# sub-images, tiles), or that are carried elsewhere (ICC, XMP, Photoshop's resources with their
# thumbnail): they would be wrong in another file.
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
"""Chroma of a JPEG: ``"4:4:4"``, ``"4:2:2"`` or ``"4:2:0"``."""


@dataclass(frozen=True)
class Meta:
    """What came with the pixels and goes back into the output where its format can hold it."""

    name: str = "photo"  # of the file, for messages
    format: str | None = None  # "JPEG", "PNG", ...; None for arrays
    exif: bytes | None = None  # a TIFF structure that starts with II or MM, orientation 1
    icc: bytes | None = None
    subsampling: Subsampling | None = None  # None where the source was no color JPEG
    dpi: tuple[float, float] | None = None  # horizontal, vertical
    xmp: bytes | None = None  # a packet, orientation 1
    iptc: bytes | None = None  # records
    comments: tuple[bytes, ...] = ()  # of a JPEG or GIF
    chunks: tuple[tuple[bytes, bytes], ...] = ()  # kind and body of a PNG's texts and color space
    converted: str | None = None  # "CMYK" or "LAB", of which the pixels were made
    lossy: bool = False  # whether the source was encoded with loss
    jpeg: bytes | None = field(default=None, repr=False)  # the file, where it was a JPEG
    orientation: int = 1  # EXIF orientation of the file, 1 to 8; the pixels are upright
    warnings: tuple[Warning, ...] = ()  # what reading left out or had to assume


def orientation_of(exif: Image.Exif) -> int:
    """The EXIF orientation, 1 to 8; 1 where there is none or nonsense."""
    value = exif.get(ORIENTATION, 1)
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def clean_exif(exif: Image.Exif, name: str) -> bytes | None:
    """The EXIF block for an upright, changed photo, without the ``Exif`` prefix; None where empty.

    Orientation becomes 1. The thumbnail goes: it would still show what was removed from the photo.
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
    except Exception as error:  # EXIF in the wild is broken in every way; the photo still counts
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
    """(horizontal, vertical) where `value` is a pair of sensible numbers, else None."""
    try:
        horizontal, vertical = (float(part) for part in value)  # type: ignore[attr-defined]
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    sensible = all(math.isfinite(part) and 1 <= part <= 1e5 for part in (horizontal, vertical))
    return (horizontal, vertical) if sensible else None


def first_line(error: BaseException) -> str:
    """The first line of an exception's message, or the name of its kind."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
