"""Attention together with its photo, to draw pictures of it."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gatefill.attention_view import Picture, flow_picture, lines_picture
from gatefill.images import Photo
from gatefill.methods.base import Attention, Mask


@dataclass(frozen=True, eq=False)
class PhotoAttention(Attention):
    """The positions attended to from each hole position of a photo; see `Attention`.

    Positions are pixels of the photo.
    """

    photo: Photo  # before it was filled
    mask: Mask  # HW, True = hole

    @property
    def offsets(self) -> NDArray[np.int32]:
        """``NK2`` (rows, columns): offsets in pixels from hole positions to those attended to."""
        return self.source - self.target[:, None]

    def map(self, *, legend: bool = True) -> Picture:
        """Draw the paper's color-wheel picture, ``HW3`` RGB uint8; see `flow_picture`."""
        return flow_picture(self, self.photo.height, self.photo.width, legend)

    def lines(self, *, spacing: int | None = None) -> Picture:
        """Draw lines over the photo to the positions attended to, ``HW3`` RGB uint8.

        Args:
            spacing: Distance in pixels of the points that lines start from; see `lines_picture`.
        """
        pixels = np.rint(self.photo.rgb() * 255).astype(np.uint8)
        return lines_picture(pixels, self.mask, self, spacing)

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Write the color-wheel picture to a file.

        Args:
            path: The file to write; the suffix selects the format.
            overwrite: Replace the file if it exists.

        Raises:
            ImageError, FileNotFoundError: As for `Photo.save`.
        """
        Photo(self.map()).save(path, overwrite=overwrite)

    def save_lines(
        self, path: str | os.PathLike[str], *, spacing: int | None = None, overwrite: bool = False
    ) -> None:
        """Write the picture with lines to a file.

        Args:
            path: The file to write; the suffix selects the format.
            spacing: See `lines`.
            overwrite: Replace the file if it exists.

        Raises:
            ImageError, FileNotFoundError: As for `Photo.save`.
        """
        Photo(self.lines(spacing=spacing)).save(path, overwrite=overwrite)

    def __repr__(self) -> str:
        places = self.source.shape[1]
        return f"<PhotoAttention of {len(self.target):,} positions to {places} places each>"


def in_photo(attention: Attention | None, photo: Photo, mask: Mask) -> PhotoAttention | None:
    """Combine attention with its photo; None stays None."""
    if attention is None:
        return None
    return PhotoAttention(
        attention.target, attention.source, attention.weight, attention.stride, photo, mask
    )


def moved_by(attention: Attention, top: int, left: int) -> Attention:
    """Convert positions in a box to positions in the photo."""
    corner: NDArray[np.int32] = np.array([top, left], np.int32)
    return replace(attention, target=attention.target + corner, source=attention.source + corner)


def within(attention: Attention, mask: Mask) -> Attention:
    """Keep the positions whose cells contain a hole pixel; known pixels with alpha 0 are none."""
    steps = np.arange(attention.stride) - attention.stride // 2
    rows, columns = (attention.target[:, axis : axis + 1] + steps for axis in (0, 1))
    rows, columns = (
        np.clip(places, 0, side - 1)
        for places, side in zip((rows, columns), mask.shape, strict=True)
    )
    kept = mask[rows[:, :, None], columns[:, None, :]].any(axis=(1, 2))
    return replace(
        attention,
        target=attention.target[kept],
        source=attention.source[kept],
        weight=attention.weight[kept],
    )


def joined(parts: list[Attention]) -> Attention | None:
    """Concatenate the attention of all regions; each attends to the same number of positions."""
    if not parts:
        return None
    return Attention(
        target=np.concatenate([part.target for part in parts]),
        source=np.concatenate([part.source for part in parts]),
        weight=np.concatenate([part.weight for part in parts]),
        stride=parts[0].stride,
    )
