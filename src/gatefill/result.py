"""`Result`: a filled photo, with its mask, warnings and attention."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gatefill.errors import ConfigError, Warning
from gatefill.images import Photo

if TYPE_CHECKING:
    import PIL.Image

    from gatefill.photo_attention import PhotoAttention


@dataclass(frozen=True, eq=False)
class Result:
    """A filled photo and data about the fill. It shares no memory with the caller's input."""

    photo: Photo  # in the bit depth of the source, with its metadata and alpha
    mask: NDArray[np.bool_]  # HW, True = filled
    method: str
    seconds: float  # reading the input and filling it
    warnings: tuple[Warning, ...] = ()  # problems that did not stop the work
    coarse: Photo | None = None  # result of the coarse network, for two-stage networks
    attention: PhotoAttention | None = None  # None for methods without it
    source: Path | None = None  # path of the photo, if it was read from a file
    large: str = "crop"  # how much of the photo the method saw: "whole", "crop" or "resize"

    def __repr__(self) -> str:
        said = f", {len(self.warnings)} warnings" if self.warnings else ""
        return (
            f"<Result {self.photo.width}x{self.photo.height}, {np.count_nonzero(self.mask):,} "
            f"pixels filled by {self.method} in {self.seconds:.2f} s{said}>"
        )

    @cached_property
    def image(self) -> PIL.Image.Image:
        """The filled photo as a PIL image; 16-bit color is rounded to the 8 bits PIL has."""
        return self.photo.to_pil()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """``HW`` gray or ``HW3`` RGB, in the dtype of the source (uint8 or uint16); without alpha.

        Without a copy the array is read-only, so that the result cannot be changed.
        """
        pixels = self.photo.pixels
        if pixels.shape[2] == 1:
            pixels = pixels[..., 0]
        wanted = pixels.dtype if dtype is None else np.dtype(dtype)
        if copy is False and wanted != pixels.dtype:
            raise ConfigError(
                f"expected dtype {pixels.dtype} for an array without a copy, got {wanted}",
                code="result.dtype",
                dtype=str(wanted),
            )
        if copy or wanted != pixels.dtype:
            return pixels.astype(wanted)
        view = pixels.view()
        view.flags.writeable = False
        return view

    def to_bytes(
        self, format: str, *, quality: int | None = None, lossless: bool | None = None
    ) -> bytes:
        """Encode the filled photo in a format such as ``"png"``.

        Args:
            format: See `Photo.to_bytes`.
            quality: See `save`.
            lossless: See `save`.

        Returns:
            The content of the file.

        Raises:
            ConfigError, ImageError: As for `Photo.to_bytes`.
        """
        return self.photo.to_bytes(format, quality=quality, lossless=lossless)

    def save(
        self,
        path: str | os.PathLike[str],
        *,
        overwrite: bool = False,
        quality: int | None = None,
        lossless: bool | None = None,
    ) -> tuple[Warning, ...]:
        """Write the photo to a file; the suffix selects the format. See `Photo.save`.

        Args:
            path: The file to write.
            overwrite: Replace the file if it exists, for example the source photo.
            quality: 1 to 100, for JPEG, AVIF and lossy WebP. Without it a JPEG written from a JPEG
                keeps the coefficients of all blocks outside the hole.
            lossless: Whether WebP is lossless. Default: True, unless the source was a lossy WebP
                or a quality is given.

        Returns:
            Warnings about data that the file does not hold. They are added to `warnings`, and
            logged.

        Raises:
            ImageError: If the file exists and `overwrite` is False, or if it cannot be written.
            ConfigError: If the quality is out of range, or the format cannot be lossless.
        """
        found = self.photo.save(path, overwrite=overwrite, quality=quality, lossless=lossless)
        new = [warning for warning in found if warning not in self.warnings]
        object.__setattr__(self, "warnings", (*self.warnings, *new))
        return found


def same_file(one: str | os.PathLike[str] | None, other: str | os.PathLike[str]) -> bool:
    """Whether two paths refer to the same existing file; False if `one` is None."""
    try:
        return one is not None and Path(other).exists() and Path(one).samefile(other)
    except (OSError, ValueError):  # deleted meanwhile, no permission, or an invalid name
        return False
