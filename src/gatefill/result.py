"""What an inpainter hands back."""

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
    """A filled photo, and how it came about. It shares no memory with what the caller gave."""

    photo: Photo  # in the source's own depth, with its metadata and alpha
    mask: NDArray[np.bool_]  # HW, True = filled
    method: str
    seconds: float  # reading the input and filling it
    warnings: tuple[Warning, ...] = ()  # what the user should know
    coarse: Photo | None = None  # the first stage's fill, of methods that have two
    attention: PhotoAttention | None = None  # where it looked, of methods that tell
    source: Path | None = None  # the photo's file, where it came from one
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
        """``HW`` grey or ``HW3`` RGB, uint8 or uint16 as the source has it; without alpha.

        Without a copy it is read-only: the result's pixels stay what they are.
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
        """The filled photo as a file of a format such as ``"png"``; see `Photo.to_bytes`."""
        return self.photo.to_bytes(format, quality=quality, lossless=lossless)

    def save(
        self,
        path: str | os.PathLike[str],
        *,
        overwrite: bool = False,
        quality: int | None = None,
        lossless: bool | None = None,
    ) -> tuple[Warning, ...]:
        """Write a file whose format follows its name; see `Photo.save`.

        Args:
            path: The file to write.
            overwrite: Whether it may be there already, as the source photo is.
            quality: 1 to 100, of JPEG and lossy WebP. Without it a JPEG that was read keeps the
                coefficients of all blocks outside the hole.
            lossless: Whether WebP keeps every pixel. Default: unless the source was a lossy WebP,
                or a quality is given.

        Returns:
            What the file leaves out of the photo. It is added to `warnings`, and logged.

        Raises:
            ImageError: Where the file is there already, unless `overwrite`, and where it cannot be
                written.
            ConfigError: For a quality out of range, and where lossless cannot be had.
        """
        found = self.photo.save(path, overwrite=overwrite, quality=quality, lossless=lossless)
        new = [warning for warning in found if warning not in self.warnings]
        object.__setattr__(self, "warnings", (*self.warnings, *new))
        return found


def same_file(one: str | os.PathLike[str] | None, other: str | os.PathLike[str]) -> bool:
    """Whether two paths, of which one may be missing, lead to the same existing file."""
    try:
        return one is not None and Path(other).exists() and Path(one).samefile(other)
    except (OSError, ValueError):  # vanished, not allowed, or no possible name
        return False
