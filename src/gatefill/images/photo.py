"""A photo in its own bit depth, with conversion of its pixels to floats and back."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from gatefill.errors import Warning
from gatefill.images.convert import Pixels
from gatefill.images.encode import Encoded, check_options, encode, to_pil
from gatefill.images.meta import Meta
from gatefill.images.source import ImageError
from gatefill.images.write import check_output, format_named, write_atomically
from gatefill.stopping import strips

if TYPE_CHECKING:
    import PIL.Image

logger = logging.getLogger(__name__)

# ITU-R BT.601, as in JPEG and Pillow.
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


class HasSlices(Protocol):
    """Part of a photo, such as `gatefill.geometry.Box`."""

    @property
    def slices(self) -> tuple[slice, slice]: ...


@dataclass(frozen=True, eq=False)
class Photo:
    """An upright photo in the bit depth of its source.

    Known pixels are never converted; a fill is written between them, so that they stay
    bit-identical at 8 and 16 bits::

        fill = method.fill(photo.rgb(box), mask[box.slices]).image
        pixels = photo.pixels.copy()
        known = photo.pixels[box.slices]
        pixels[box.slices] = composite(photo.quantized(fill), known, mask[box.slices])
        photo = photo.replaced(pixels)
    """

    pixels: Pixels  # HWC, C = 1 gray or 3 RGB
    alpha: Pixels | None = None  # HW, same dtype; 0 = transparent
    meta: Meta = field(default_factory=Meta)

    def __post_init__(self) -> None:
        shape, dtype = self.pixels.shape, self.pixels.dtype
        if len(shape) != 3 or shape[2] not in (1, 3) or dtype not in (np.uint8, np.uint16):
            raise ImageError(
                f"expected uint8 or uint16 pixels HW1 or HW3, got {dtype} {shape}",
                code="image.array",
            )
        if 0 in shape:
            raise ImageError(f"expected at least one pixel, got shape {shape}", code="image.empty")
        if self.alpha is not None and (self.alpha.shape != shape[:2] or self.alpha.dtype != dtype):
            raise ImageError(
                f"expected alpha {dtype} {shape[:2]}, got {self.alpha.dtype} {self.alpha.shape}",
                code="image.array",
            )

    def __repr__(self) -> str:
        kind = "gray" if self.pixels.shape[2] == 1 else "RGB"
        alpha = "" if self.alpha is None else " with alpha"
        return f"<Photo {self.width}x{self.height} {kind}{alpha}, {self.pixels.dtype}>"

    @property
    def height(self) -> int:
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        return int(self.pixels.shape[1])

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width) in pixels, the shape of the photo's mask."""
        return self.height, self.width

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels, as in PIL."""
        return self.width, self.height

    @property
    def max_value(self) -> int:
        """The largest value of a channel: 255 or 65535."""
        return int(np.iinfo(self.pixels.dtype).max)

    def rgb(self, box: HasSlices | None = None) -> NDArray[np.float32]:
        """Return ``HW3`` float32 in [0, 1] of the photo or of a box of it; gray is repeated."""
        part = self.pixels if box is None else self.pixels[box.slices]
        floats = np.empty((*part.shape[:2], 3), np.float32)
        for rows in strips(*part.shape[:2]):
            np.divide(part[rows], np.float32(self.max_value), out=floats[rows])
        return floats

    def quantized(self, filled: NDArray[np.floating[Any]]) -> Pixels:
        """Convert ``HW3`` floats in [0, 1] to this photo's dtype and channels: clipped and rounded.

        Args:
            filled: ``HW3`` in [0, 1], of any size, such as that of a box.

        Returns:
            ``HWC`` with this photo's bit depth and channels; for a gray photo the luma.

        Raises:
            ImageError: If `filled` is no float array ``HW3``.
        """
        if filled.ndim != 3 or filled.shape[2] != 3:
            raise ImageError(
                f"expected floats HW3, got {filled.dtype} {filled.shape}", code="image.array"
            )
        height, width = filled.shape[:2]
        levels: Pixels = np.empty((height, width, self.pixels.shape[2]), self.pixels.dtype)
        for rows in strips(height, width):
            values = np.asarray(filled[rows], np.float32)
            if self.pixels.shape[2] == 1:
                values = values @ _LUMA[:, None]
            levels[rows] = np.rint(np.clip(values, 0, 1) * self.max_value)
        return levels

    def replaced(self, pixels: Pixels, *, opaque: NDArray[np.bool_] | None = None) -> Photo:
        """Return this photo with other pixels, and everything else unchanged.

        Args:
            pixels: ``HWC`` of the same shape and dtype.
            opaque: Bool ``HW``, where alpha becomes opaque, for holes that were defined by the
                photo's own alpha. Alpha that is opaque everywhere is dropped.

        Returns:
            A new photo.

        Raises:
            ImageError: If the pixels have another shape or dtype.
        """
        if pixels.shape != self.pixels.shape or pixels.dtype != self.pixels.dtype:
            raise ImageError(
                f"expected pixels {self.pixels.dtype} {self.pixels.shape}, "
                f"got {pixels.dtype} {pixels.shape}",
                code="image.array",
            )
        alpha = self.alpha
        if alpha is not None and opaque is not None:
            alpha = np.where(opaque, alpha.dtype.type(self.max_value), alpha)
            if (alpha == self.max_value).all():
                alpha = None
        return Photo(pixels, alpha, self.meta)

    def to_pil(self) -> PIL.Image.Image:
        """Convert to a PIL image of mode L, LA, RGB or RGBA with EXIF data and ICC profile.

        PIL has 16 bits for gray only (mode ``I;16``): 16-bit color, and 16-bit gray with alpha, are
        rounded to 8 bits. `pixels`, `save` and `to_bytes` keep 16 bits.
        """
        return to_pil(self.pixels, self.alpha, self.meta)

    def to_bytes(
        self, format: str, *, quality: int | None = None, lossless: bool | None = None
    ) -> bytes:
        """Encode the photo in a format such as ``"png"``, ``".jpg"`` or ``"TIFF"``.

        Args:
            format: A suffix or the name of a format.
            quality: See `encoded`.
            lossless: See `encoded`.

        Returns:
            The content of the file. Warnings about data that it does not hold are logged.

        Raises:
            ConfigError, ImageError: As for `encoded`.
        """
        data, found = self.encoded(format, quality=quality, lossless=lossless)
        _log(found)
        return data

    def encoded(
        self, format: str, *, quality: int | None = None, lossless: bool | None = None
    ) -> Encoded:
        """Encode the photo, and return warnings about data that the file does not hold.

        A photo read from a JPEG and encoded as JPEG keeps its tables, sampling, orientation and
        segments; all 8x8 blocks without changed pixels keep their DCT coefficients.

        Args:
            format: Such as ``"png"``, ``".jpg"`` or ``"TIFF"``.
            quality: 1 to 100, for JPEG, AVIF and lossy WebP only. With it, a JPEG is encoded anew.
                Default: 95 for JPEGs from other sources, 90 for WebP and AVIF.
            lossless: Whether WebP is lossless. Default: True, unless the source was a lossy WebP or
                a quality is given.

        Returns:
            The content of the file, and warnings.

        Raises:
            ConfigError: For a quality out of range, or if the format cannot be lossless.
            ImageError: If the photo cannot be written in that format.
        """
        name = format_named(format)
        return encode(self.pixels, self.alpha, self.meta, name, quality=quality, lossless=lossless)

    def save(
        self,
        path: str | os.PathLike[str],
        *,
        overwrite: bool = False,
        quality: int | None = None,
        lossless: bool | None = None,
    ) -> tuple[Warning, ...]:
        """Write a file atomically; its suffix selects the format.

        PNG and TIFF are lossless, and so is WebP unless the source was a lossy WebP. A JPEG written
        from a JPEG changes only in blocks with changed pixels. Metadata and alpha are kept if the
        format can store them; JPEG and BMP put transparent photos on white. 16 bits are kept in PNG
        and TIFF, and rounded to 8 in other formats.

        Args:
            path: The file to write.
            overwrite: Replace the file if it exists.
            quality: See `encoded`.
            lossless: See `encoded`.

        Returns:
            Warnings about data that the file does not hold; they are logged, too.

        Raises:
            ConfigError: For a quality out of range, or if the format cannot be lossless.
            ImageError: For an unknown suffix, if the file exists and `overwrite` is False, or if it
                cannot be written.
            FileNotFoundError: If the folder does not exist.
        """
        path = Path(path)
        format = check_output(path, overwrite=overwrite)
        check_options(format, quality, lossless)
        data, found = self.encoded(path.suffix, quality=quality, lossless=lossless)
        write_atomically(path, data, overwrite=overwrite)
        _log(found)
        return found


def _log(warnings: tuple[Warning, ...]) -> None:
    for warning in warnings:
        logger.warning(warning)
