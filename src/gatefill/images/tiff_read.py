"""Reads TIFFs: the page of the photo, and pixels that Pillow would round."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gatefill.images.damage import is_ours
from gatefill.images.meta import ORIENTATION
from gatefill.images.notes import cut_off
from gatefill.images.source import ImageError
from gatefill.images.tiff_directory import (
    BITS,
    BYTE_COUNTS,
    COMPRESSION,
    FILL_ORDER,
    HEIGHT,
    OFFSETS,
    PHOTOMETRIC,
    PLANAR,
    ROWS_PER_STRIP,
    SAMPLES,
    TILE_BYTE_COUNTS,
    TILE_HEIGHT,
    TILE_OFFSETS,
    TILE_WIDTH,
    WIDTH,
    Tiff,
)
from gatefill.images.tiff_segments import (
    READ,
    TiffSegment,
    check_segment,
    decode_segment,
)

_PREDICTOR, _EXTRA_SAMPLES, _SAMPLE_FORMAT, _ICC = 317, 338, 339, 34675
_X_DPI, _Y_DPI, _DPI_UNIT, _CENTIMETER = 282, 283, 296, 3
_MIN_IS_WHITE, _MIN_IS_BLACK, _RGB = 0, 1, 2
_PREMULTIPLIED = 1
_HORIZONTAL, _FLOATING = 2, 3
_KINDS = {1: "u", 2: "i", 3: "f", 4: "u"}  # by SampleFormat; 4 means undefined
_DTYPES = ("u1", "u2", "u4", "i1", "i2", "i4", "f2", "f4", "f8")
_TILE_PIXELS = 1 << 20  # pixels that a tile may have in any case
_REVERSED = bytes(int(f"{value:08b}"[::-1], 2) for value in range(256))


class TiffPage:
    """The page of a TIFF that holds the photo.

    Args:
        data: The content of the file.
        label: Name of the file in messages.

    Raises:
        ImageError: If it is a raw file of a camera, has no page, or claims more bytes than it has.
    """

    def __init__(self, data: bytes, label: str) -> None:
        tiff = Tiff(data, label)
        tiff.refuse_raw()
        self._page = page = tiff.photo()
        self._order = tiff.order
        self.label = label
        self.data = tiff.beginning_with(page)  # the file with this page as its first
        self.is_big = tiff.is_big
        self.width, self.height = page.integer(WIDTH), page.integer(HEIGHT)
        self.compression = page.integer(COMPRESSION, 1)
        self.channels = page.integer(SAMPLES, 1)
        self._bits = page.integers(BITS) or (1,)
        self._is_planar = page.integer(PLANAR, 1) == 2 and self.channels > 1

    @property
    def is_deep(self) -> bool:
        """Whether it has more than 8 bits per channel, which Pillow rounds or cannot read."""
        return max(self._bits) > 8

    @property
    def is_plain(self) -> bool:
        """Whether `pixels` supports its pixel type and compression."""
        known = self._page.integer(PHOTOMETRIC) in (_MIN_IS_WHITE, _MIN_IS_BLACK, _RGB)
        return known and self._dtype() is not None and self.compression in READ

    @property
    def icc(self) -> bytes | None:
        kind, count, at = self._page.entry(_ICC)
        return self.data[at : at + count] if kind in (1, 7) else None

    @property
    def dpi(self) -> tuple[float, float] | None:
        factor = 2.54 if self._page.integer(_DPI_UNIT, 2) == _CENTIMETER else 1.0
        sides = [self._rational(tag) for tag in (_X_DPI, _Y_DPI)]
        return (sides[0] * factor, sides[1] * factor) if all(sides) else None

    def _rational(self, tag: int) -> float:
        kind, _, at = self._page.entry(tag)
        if kind != 5 or at + 8 > len(self.data):
            return 0.0
        order = "little" if self._order == "<" else "big"
        above, below = (int.from_bytes(self.data[at + i : at + i + 4], order) for i in (0, 4))  # type: ignore[arg-type]
        return above / below if below else 0.0

    def exif(self) -> Image.Exif:
        """Return the page's directory with its sub-directories as EXIF."""
        exif = Image.Exif()
        try:
            exif.load(self.data)
        except Exception as error:  # Pillow cannot read the directories of a BigTIFF
            if is_ours(error):
                raise
            exif = Image.Exif()
            exif[ORIENTATION] = self._page.integer(ORIENTATION, 1)
        return exif

    def check(self) -> None:
        """Raise ImageError if a strip or tile is larger than this photo can need."""
        if TILE_WIDTH in self._page.entries:
            wide, tall = self._page.integer(TILE_WIDTH), self._page.integer(TILE_HEIGHT)
            if wide * tall > max(4 * self.width * self.height, _TILE_PIXELS) or not wide * tall:
                raise ImageError(
                    f"{self.label}: truncated or corrupt TIFF (tiles of {wide} x {tall} for "
                    f"{self.width} x {self.height} pixels)",
                    code="image.bomb",
                )
        for segment, _ in self._segments():
            check_segment(segment, self.compression, self.label)

    def pixels(self, *, allow_truncated: bool = False) -> tuple[NDArray[Any], bool]:
        """Decode the page, and return whether it is truncated.

        The page is ``HWC``, straight alpha, in the orientation in which it is stored.

        With `allow_truncated`, missing strips and tiles are 0.
        """
        photometric = self._page.integer(PHOTOMETRIC)
        dtype = self._dtype()
        if photometric not in (_MIN_IS_WHITE, _MIN_IS_BLACK, _RGB) or dtype is None:
            kind = _KINDS.get(self._page.integer(_SAMPLE_FORMAT, 1), "?")
            raise ImageError(
                f"{self.label}: expected a gray or RGB TIFF of 8, 16 or 32 bits, with or without "
                f"alpha, got {self.channels} channels of {self._bits[0]} bits "
                f"(photometric {photometric}, kind {kind}); convert it to RGB",
                code="image.channels",
            )
        if self.compression not in READ:
            raise ImageError(
                f"{self.label}: expected a TIFF of {self._bits[0]} bits without compression or "
                f"with deflate, LZW, PackBits, LZMA or Zstandard, got compression "
                f"{self.compression}",
                code="image.compression",
            )
        array, is_cut = self._assembled(dtype, allow_truncated)
        color = self.channels - (self.channels in (2, 4))
        if photometric == _MIN_IS_WHITE:
            array[..., :color] = _inverted(array[..., :color])
        extras = self._page.integers(_EXTRA_SAMPLES)
        if color < self.channels and _PREMULTIPLIED in extras:
            array[..., :color] = _straight(array[..., :color], array[..., color:])
        return array, is_cut

    def _dtype(self) -> np.dtype[Any] | None:
        """Return the dtype of stored values in the file's byte order; None if unsupported."""
        formats = self._page.integers(_SAMPLE_FORMAT) or (1,)
        name = f"{_KINDS.get(formats[0], '?')}{self._bits[0] // 8}"
        same = len(set(self._bits)) == 1 and len(set(formats)) == 1 and self._bits[0] % 8 == 0
        if not same or name not in _DTYPES or not 1 <= self.channels <= 4:
            return None
        return np.dtype(self._order + name)

    def _assembled(self, dtype: np.dtype[Any], allow_truncated: bool) -> tuple[NDArray[Any], bool]:
        out = np.zeros((self.height, self.width, self.channels), dtype.newbyteorder("="))
        predictor = self._page.integer(_PREDICTOR, 1)
        inside = 1 if self._is_planar else self.channels
        missing, is_cut = self.height * self.width * self.channels, False
        for segment, (top, left, plane) in self._segments():
            rows, is_short = decode_segment(segment, self.compression, self.label)
            is_cut |= is_short
            values = _predicted(rows, dtype, inside, predictor)
            part = out[top : top + len(values), left : left + values.shape[1], plane]
            part[...] = values[: part.shape[0], : part.shape[1]]
            missing -= part.size
        is_cut |= bool(missing)
        if is_cut and not allow_truncated:
            raise cut_off(self.label, "TIFF")
        return out, is_cut

    def _segments(self) -> Iterator[tuple[TiffSegment, tuple[int, int, slice]]]:
        """Yield each strip or tile with its position: top row, left column, channels."""
        page = self._page
        is_tiled = TILE_WIDTH in page.entries
        wide = page.integer(TILE_WIDTH) if is_tiled else self.width
        tall = page.integer(TILE_HEIGHT) if is_tiled else page.integer(ROWS_PER_STRIP, self.height)
        tall = max(tall if is_tiled else min(tall, self.height), 1)
        offsets = page.integers(TILE_OFFSETS if is_tiled else OFFSETS)
        counts = page.integers(TILE_BYTE_COUNTS if is_tiled else BYTE_COUNTS)
        planes = self.channels if self._is_planar else 1
        inside = self.channels // planes
        row_bytes = -(-wide * inside * self._bits[0] // 8)
        if not counts and len(offsets) == 1:  # as old writers left it
            counts = (len(self.data) - offsets[0],)
        number = 0
        for plane in range(planes):
            channels = slice(plane, plane + 1) if self._is_planar else slice(None)
            for top in range(0, self.height, tall):
                rows = tall if is_tiled else min(tall, self.height - top)
                for left in range(0, self.width, max(wide, 1)):
                    if number >= min(len(offsets), len(counts)):
                        return
                    start = offsets[number]
                    data = self.data[start : start + counts[number]]
                    if page.integer(FILL_ORDER, 1) == 2:
                        data = data.translate(_REVERSED)
                    yield TiffSegment(data, wide, rows, row_bytes, tall), (top, left, channels)
                    number += 1


def _predicted(
    rows: NDArray[np.uint8], dtype: np.dtype[Any], channels: int, predictor: int
) -> NDArray[Any]:
    """Undo the predictor: rows of bytes to values ``HWC`` in native order, differences summed up.

    Section 14 of TIFF 6.0, and Adobe's TIFF Technical Note 3.
    """
    shape = (len(rows), -1, channels)
    if predictor == _FLOATING:
        sums = np.add.accumulate(rows.reshape(shape), axis=1, dtype=np.uint8)
        planes = sums.reshape(len(rows), dtype.itemsize, -1)  # the most significant byte first
        joined = np.ascontiguousarray(np.moveaxis(planes, 1, 2))
        values = joined.view(dtype.newbyteorder(">")).reshape(shape)
        return values.astype(dtype.newbyteorder("="))
    values = rows.reshape(len(rows), -1).view(dtype).reshape(shape)
    values = values.astype(dtype.newbyteorder("="))
    if predictor == _HORIZONTAL:
        whole = values.view(f"u{dtype.itemsize}")
        np.add.accumulate(whole, axis=1, dtype=whole.dtype, out=whole)
    return values


def _inverted(values: NDArray[Any]) -> NDArray[Any]:
    """Invert the values of a page where 0 is white."""
    if values.dtype.kind == "f":
        return 1 - values
    return np.iinfo(values.dtype).max - values


def _straight(color: NDArray[Any], alpha: NDArray[Any]) -> NDArray[Any]:
    """Divide color by the alpha it was multiplied with; the dtype stays the same."""
    most = 1.0 if color.dtype.kind == "f" else float(np.iinfo(color.dtype).max)
    straight = np.zeros(color.shape, color.dtype)
    for row, share, target in zip(color, alpha, straight, strict=True):
        clear = share <= 0
        values = row.astype(np.float64) * most / np.where(clear, 1, share)
        values = np.where(clear, row, np.minimum(values, most))
        target[...] = values if color.dtype.kind == "f" else np.rint(values)
    return straight
