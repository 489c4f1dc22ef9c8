"""A photo in its own bit depth, and the way from its pixels to floats and back."""

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

# ITU-R BT.601, as JPEG and Pillow have it.
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


class HasSlices(Protocol):
    """A part of a photo, such as `gatefill.geometry.Box`."""

    @property
    def slices(self) -> tuple[slice, slice]: ...


@dataclass(frozen=True, eq=False)
class Photo:
    """An upright photo as it was stored: its pixels are never converted for those that stay.

    A fill goes in like this, so that known pixels stay bit-identical at 8 and at 16 bits::

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
        """(height, width) in pixels, as arrays have it: that of the photo's mask."""
        return self.height, self.width

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels, as PIL has it."""
        return self.width, self.height

    @property
    def max_value(self) -> int:
        """The greatest value of a channel: 255 or 65535."""
        return int(np.iinfo(self.pixels.dtype).max)

    def rgb(self, box: HasSlices | None = None) -> NDArray[np.float32]:
        """``HW3`` float32 in [0, 1] of the whole photo or of a box; gray becomes three channels."""
        part = self.pixels if box is None else self.pixels[box.slices]
        floats = np.empty((*part.shape[:2], 3), np.float32)
        for rows in strips(*part.shape[:2]):
            np.divide(part[rows], np.float32(self.max_value), out=floats[rows])
        return floats

    def quantized(self, filled: NDArray[np.floating[Any]]) -> Pixels:
        """``HW3`` floats in [0, 1] as this photo stores pixels: clipped, rounded, ``HWC``.

        Args:
            filled: ``HW3`` in [0, 1], of any size, so that it serves boxes as well.

        Returns:
            ``HWC`` of this photo's depth and channels; a gray photo gets the luma.
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
        """This photo with other pixels, everything else kept.

        Args:
            pixels: ``HWC`` of the same shape and dtype.
            opaque: Bool ``HW``, where alpha becomes full, for holes that were given by the photo's
                own alpha. Alpha that is full everywhere is dropped.

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
        """A PIL image of mode L, LA, RGB or RGBA that carries EXIF and ICC profile.

        PIL has 16 bits for gray only (mode ``I;16``): 16-bit color, and gray with alpha, is
        rounded to 8 bits here. `pixels`, `save` and `to_bytes` keep all 16.
        """
        return to_pil(self.pixels, self.alpha, self.meta)

    def to_bytes(
        self, format: str, *, quality: int | None = None, lossless: bool | None = None
    ) -> bytes:
        """The photo as a file of a format such as ``"png"``, ``".jpg"`` or ``"TIFF"``.

        Args:
            format: A suffix or a format's name.
            quality: See `encoded`.
            lossless: Likewise.

        Returns:
            The file; what it leaves out is logged.

        Raises:
            ConfigError, ImageError: See `encoded`.
        """
        data, found = self.encoded(format, quality=quality, lossless=lossless)
        _log(found)
        return data

    def encoded(
        self, format: str, *, quality: int | None = None, lossless: bool | None = None
    ) -> Encoded:
        """The photo as a file, and what the file leaves out.

        A JPEG that was read and is written as JPEG keeps its tables, sampling, orientation and
        segments; all blocks of 8x8 pixels without a changed one keep their DCT coefficients.

        Args:
            format: Such as ``"png"``, ``".jpg"`` or ``"TIFF"``.
            quality: 1 to 100, of JPEG and lossy WebP; other formats have none. With it a JPEG is
                encoded anew. Without it that of JPEGs from other sources is 95, of WebP 90.
            lossless: Whether WebP keeps every pixel. Default: unless the source was a lossy WebP,
                or a quality is given.

        Raises:
            ConfigError: For a quality out of range, and where lossless cannot be had.
            ImageError: Where the photo cannot be written in that format.
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
        """Write a file whose format follows its name; it appears whole or not at all.

        PNG and TIFF are lossless, WebP is unless the source was a lossy one, and a JPEG from a JPEG
        changes in the blocks only in which the photo was changed. Metadata and alpha are kept where
        the format can hold them; JPEG and BMP put transparent photos on white. 16 bits are kept in
        PNG and TIFF and rounded elsewhere.

        Args:
            path: The file to write.
            overwrite: Whether it may be there already.
            quality: See `encoded`.
            lossless: See `encoded`.

        Returns:
            What the file leaves out of the photo; each is logged as a warning, too.

        Raises:
            ConfigError: For a quality out of range, and where lossless cannot be had.
            ImageError: For an unknown suffix, and where it cannot be written.
            FileNotFoundError: Where the folder does not exist.
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
