"""A photo in its own bit depth, and the way from its pixels to floats and back."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from gatefill.images.convert import Pixels
from gatefill.images.meta import Meta
from gatefill.images.write import check_output, encode, format_named, to_pil, write_atomically

if TYPE_CHECKING:
    import PIL.Image

# ITU-R BT.601, as JPEG and Pillow have it.
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


class Region(Protocol):
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
        pixels[box.slices] = composite(photo.quantised(fill), known, mask[box.slices])
        photo = photo.replaced(pixels)
    """

    pixels: Pixels  # HWC, C = 1 grey or 3 RGB
    alpha: Pixels | None = None  # HW, same dtype; 0 = transparent
    meta: Meta = field(default_factory=Meta)

    def __post_init__(self) -> None:
        shape, dtype = self.pixels.shape, self.pixels.dtype
        if len(shape) != 3 or shape[2] not in (1, 3) or dtype not in (np.uint8, np.uint16):
            raise ValueError(f"expected uint8 or uint16 pixels HW1 or HW3, got {dtype} {shape}")
        if 0 in shape:
            raise ValueError(f"expected at least one pixel, got shape {shape}")
        if self.alpha is not None and (self.alpha.shape != shape[:2] or self.alpha.dtype != dtype):
            raise ValueError(
                f"expected alpha {dtype} {shape[:2]}, got {self.alpha.dtype} {self.alpha.shape}"
            )

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

    def rgb(self, box: Region | None = None) -> NDArray[np.float32]:
        """``HW3`` float32 in [0, 1] of the whole photo or of a box; grey becomes three channels."""
        part = self.pixels if box is None else self.pixels[box.slices]
        floats = part.astype(np.float32)
        floats /= np.float32(self.max_value)
        return np.repeat(floats, 3, axis=2) if part.shape[2] == 1 else floats

    def quantised(self, filled: NDArray[np.floating[Any]]) -> Pixels:
        """``HW3`` floats in [0, 1] as this photo stores pixels: clipped, rounded, ``HWC``.

        A grey photo gets the luma. The size is free, so that it serves boxes as well.
        """
        if filled.ndim != 3 or filled.shape[2] != 3:
            raise ValueError(f"expected floats HW3, got {filled.dtype} {filled.shape}")
        values = np.asarray(filled, np.float32)
        if self.pixels.shape[2] == 1:
            values = values @ _LUMA[:, None]
        levels: Pixels = np.rint(np.clip(values, 0, 1) * self.max_value).astype(self.pixels.dtype)
        return levels

    def replaced(self, pixels: Pixels, *, opaque: NDArray[np.bool_] | None = None) -> Photo:
        """This photo with other pixels of the same shape and dtype, everything else kept.

        opaque: bool ``HW`` where alpha becomes full, for holes that were given by the photo's own
            alpha. Alpha that is full everywhere is dropped.
        """
        if pixels.shape != self.pixels.shape or pixels.dtype != self.pixels.dtype:
            raise ValueError(
                f"expected pixels {self.pixels.dtype} {self.pixels.shape}, "
                f"got {pixels.dtype} {pixels.shape}"
            )
        alpha = self.alpha
        if alpha is not None and opaque is not None:
            alpha = np.where(opaque, alpha.dtype.type(self.max_value), alpha)
            if (alpha == self.max_value).all():
                alpha = None
        return Photo(pixels, alpha, self.meta)

    def to_pil(self) -> PIL.Image.Image:
        """A PIL image of mode L, LA, RGB or RGBA that carries EXIF and ICC profile.

        PIL has 16 bits for grey only (mode ``I;16``): 16-bit colour, and grey with alpha, is
        rounded to 8 bits here. `pixels`, `save` and `to_bytes` keep all 16.
        """
        return to_pil(self.pixels, self.alpha, self.meta)

    def to_bytes(self, format: str) -> bytes:
        """The photo as a file of a format such as ``"png"``, ``".jpg"`` or ``"TIFF"``."""
        return encode(self.pixels, self.alpha, self.meta, format_named(format))

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = True) -> None:
        """Write a file whose format follows its name; it appears whole or not at all.

        PNG, TIFF and WebP are lossless, JPEG has quality 95 and the source's subsampling (4:4:4
        where the source was no JPEG). EXIF, ICC profile and alpha are kept where the format can
        hold them; JPEG and BMP put transparent photos on white, with a logged warning. 16 bits
        are kept in PNG and TIFF and rounded elsewhere, with a logged warning.
        Raises ImageError (a ValueError) for an unknown suffix and where it cannot be written,
        FileNotFoundError where the folder does not exist.
        """
        path = Path(path)
        format = check_output(path, overwrite=overwrite)
        data = encode(self.pixels, self.alpha, self.meta, format)
        write_atomically(path, data, overwrite=overwrite)
