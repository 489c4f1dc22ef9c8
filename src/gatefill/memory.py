"""Estimates of the memory that a fill takes, from the sizes of photo and hole.

The constants are measured upper bounds of what a fill adds to the memory of an idle process;
docs/api.md compares estimates with measurements.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from gatefill.images import ImageError, Photo
from gatefill.methods.base import Mask, Method, TellsMemory
from gatefill.regions import Region
from gatefill.scales import Chosen, Large, scale_of

PHOTO = 24  # bytes per pixel of a photo with 8 bits: read, copied, encoded
FILLED = 12  # bytes per pixel of a photo while a region is filled
FIXED = 40 << 20  # bytes, independent of the size
RESIZED = 50  # bytes per pixel of a region that is downscaled for the method
UNKNOWN = 250  # bytes per pixel of a region, for methods without an estimate of their own
_MARGIN = 0.98  # safety factor for the sides: regions shrink a little less than their photo


class RegionSize(NamedTuple):
    """The size in pixels of a region that a method fills, and the scale at which it is filled."""

    pixels: int
    hole: int
    scale: float = 1.0  # side as the method sees it, divided by the side in the photo

    def resized(self, scale: float) -> RegionSize:
        """Scale the sides for a photo of another size; the size the method sees stays the same."""
        seen = min(self.scale / scale, 1.0) if self.scale < 1 else 1.0
        return RegionSize(round(self.pixels * scale**2), round(self.hole * scale**2), seen)


def planned(method: object, pixels: int, parts: Sequence[RegionSize], depth: int = 1) -> int:
    """Return the bytes that a fill takes at its peak.

    Args:
        method: A `Method`, or None for a photo that is only read and written.
        pixels: Number of pixels of the photo.
        parts: The regions that are filled one after the other.
        depth: Bytes per channel: 1 or 2.
    """
    most = 0
    for part in parts:
        seen = round(part.pixels * part.scale**2)
        taken = UNKNOWN * seen
        if isinstance(method, TellsMemory):
            taken = method.memory(seen, round(part.hole * part.scale**2))
        most = max(most, taken + (RESIZED * part.pixels if part.scale < 1 else 0))
    return FIXED + max(PHOTO * depth * pixels, FILLED * depth * pixels + most)


def bound(method: Method, large: Large, pixels: int, depth: int = 1) -> int:
    """Return the bytes that a fill takes at most for a photo of this size, whatever its hole is."""
    parts = [RegionSize(pixels, 0), RegionSize(pixels, pixels)]
    side = method.info.max_side
    if side is not None and large in ("auto", "resize"):
        scale = min(1.0, 3 * side / pixels**0.5)  # larger photos are cropped or downscaled
        parts = [RegionSize(pixels, pixels, scale)]
    return planned(method, pixels, parts, depth)


def check_memory(
    method: Method,
    photo: Photo,
    mask: Mask,
    regions: Sequence[Region],
    large: Chosen,
    limit: int | None,
) -> None:
    """Raise ImageError, naming the size that fits, if a fill takes more than `limit` bytes."""
    if limit is None:
        return
    found = []
    for region in regions:
        hole = mask[region.box.slices]
        scale = scale_of(method.info, hole) if large == "resize" else 1.0
        found.append(RegionSize(region.box.area, int(np.count_nonzero(hole)), scale))
    check_sizes(method, photo.size, found, photo.pixels.dtype.itemsize, limit)


def check_sizes(
    method: object,
    size: tuple[int, int],
    parts: Sequence[RegionSize],
    depth: int,
    limit: int,
) -> None:
    """Do the check of `check_memory` from sizes alone.

    size: (width, height) of the photo; method, parts, depth: see `planned`.
    """
    width, height = size
    needed = planned(method, width * height, parts, depth)
    if needed <= limit:
        return
    low, high = 0.0, 1.0  # bounds of the scale factor of the sides
    for _ in range(12):
        scale = (low + high) / 2
        shrunk = [part.resized(scale) for part in parts]
        fits = planned(method, round(width * height * scale**2), shrunk, depth) <= limit
        low, high = (scale, high) if fits else (low, scale)
    low *= _MARGIN
    most = int(width * low), int(height * low)
    purpose = "to fill such a hole " if parts else ""
    raise ImageError(
        f"expected a photo of at most {most[0]} x {most[1]} {purpose}in {limit // 10**6:,} MB of "
        f"memory, got {width} x {height}, which takes {needed // 10**6:,} MB",
        code="image.memory",
        width=width,
        height=height,
        most_width=most[0],
        most_height=most[1],
        megabytes=-(-needed // 10**6),
        limit_megabytes=limit // 10**6,
    )
