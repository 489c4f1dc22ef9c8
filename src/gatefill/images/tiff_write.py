"""Encodes TIFFs: Pillow can write neither 16-bit color nor EXIF data in compressed files."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from gatefill.images.convert import Pixels
from gatefill.images.exif import Block
from gatefill.images.tiff_tags import (
    BYTE,
    IPTC_TAG,
    LONG,
    RATIONAL,
    SHORT,
    UNDEFINED,
    XMP_TAG,
    Tag,
    exif_block,
    read_tags,
    without_layout,
    write_tags,
)

# Tags and their values (TIFF 6.0; deflate and predictor from Adobe's technical notes).
_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, _OFFSETS = 256, 257, 258, 259, 262, 273
_SAMPLES, _ROWS_PER_STRIP, _BYTE_COUNTS, _X_DPI, _Y_DPI, _DPI_UNIT = 277, 278, 279, 282, 283, 296
_PREDICTOR, _EXTRA_SAMPLES, _ICC = 317, 338, 34675
_DEFLATE, _GRAY, _RGB, _INCH, _HORIZONTAL, _STRAIGHT_ALPHA = 8, 1, 2, 2, 2, 2

_STRIP_BYTES = 1 << 18


def encode_tiff(
    image: Pixels,
    *,
    icc: bytes | None = None,
    exif: bytes | None = None,
    dpi: tuple[float, float] | None = None,
    xmp: bytes | None = None,
    iptc: bytes | None = None,
) -> bytes:
    """Encode ``HWC`` uint8 or uint16 with 1 to 4 channels, straight alpha, as a deflated TIFF.

    Its byte order is that of the EXIF block, so that the tags keep their bytes and types.
    """
    height, width, channels = image.shape
    block = Block(exif) if exif else None
    order = block.order if block else "<"
    tags = without_layout(read_tags(block)) if block else {}
    rows = max(_STRIP_BYTES // image[0].nbytes, 1)
    strips = list(_compressed_strips(image, rows, order))

    def put(tag: int, kind: int, *values: int) -> None:
        code = {SHORT: "H", LONG: "I", RATIONAL: "I"}[kind]
        tags[tag] = Tag(kind, struct.pack(f"{order}{len(values)}{code}", *values))

    put(_WIDTH, LONG, width)
    put(_HEIGHT, LONG, height)
    put(_SAMPLES, SHORT, channels)
    put(_BITS, SHORT, *(8 * image.dtype.itemsize,) * channels)
    put(_PHOTOMETRIC, SHORT, _RGB if channels > 2 else _GRAY)
    if channels in (2, 4):
        put(_EXTRA_SAMPLES, SHORT, _STRAIGHT_ALPHA)
    put(_COMPRESSION, SHORT, _DEFLATE)
    put(_PREDICTOR, SHORT, _HORIZONTAL)
    put(_ROWS_PER_STRIP, LONG, rows)
    put(_BYTE_COUNTS, LONG, *map(len, strips))
    put(_OFFSETS, LONG, *(0 for _ in strips))
    if dpi and not {_X_DPI, _Y_DPI} <= {*tags}:
        for tag, value in zip((_X_DPI, _Y_DPI), dpi, strict=True):
            put(tag, RATIONAL, *Fraction(value).limit_denominator(10000).as_integer_ratio())
        put(_DPI_UNIT, SHORT, _INCH)
    for tag, kind, data in (
        (_ICC, UNDEFINED, icc),
        (XMP_TAG, BYTE, xmp),
        (IPTC_TAG, UNDEFINED, iptc),
    ):
        if data:
            tags[tag] = Tag(kind, data)
    start = 8 + len(write_tags(order, tags, 8))
    start += start % 2
    put(_OFFSETS, LONG, *np.cumsum([start, *map(len, strips[:-1])]).tolist())
    return b"".join([exif_block(order, tags).ljust(start, b"\0"), *strips])


def _compressed_strips(image: Pixels, rows: int, order: str) -> Iterator[bytes]:
    """Yield deflated strips of rows, stored as differences to the pixel on the left."""
    for start in range(0, image.shape[0], rows):
        strip = image[start : start + rows]
        differences = strip.astype(f"{order}u{strip.dtype.itemsize}")
        differences[:, 1:] -= strip[:, :-1]
        yield zlib.compress(differences.tobytes(), 5)
