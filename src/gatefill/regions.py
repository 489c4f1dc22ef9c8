"""Finds the parts of a large photo that are needed to fill its holes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gatefill.geometry import Box, bounding_box, component_boxes, merge_overlapping
from gatefill.holes import (
    CELL,
    LEAST_MARGIN,
    TILE,
    Group,
    Holes,
    cells_of,
)
from gatefill.stopping import stop_point

Mask = NDArray[np.bool_]

KNOWN_PER_HOLE = 3  # minimum number of known pixels per hole pixel in a region
KNOWN_PER_SPECK = 0.25  # the same in a tile, where known pixels are close to each hole pixel

# Two regions whose union is larger than a tile are merged only if its area is below this fraction
# of the sum of their areas.
WORTH_MERGING = 0.75


@dataclass(frozen=True, eq=False)
class Region:
    """A box of the photo that is passed to a method, and the holes in it that it fills."""

    box: Box
    number: int = 0
    numbers: NDArray[Any] | None = None  # HW, number of the region of each hole pixel

    @property
    def height(self) -> int:
        """Return the height of the box in pixels."""
        return self.box.height

    @property
    def width(self) -> int:
        """Return the width of the box in pixels."""
        return self.box.width

    def own(self, mask: Mask) -> Mask:
        """Return the part of a mask ``HW`` that this region fills, cropped to its box."""
        part: Mask = mask[self.box.slices]
        if self.numbers is None:
            return part
        own: Mask = part & (self.numbers[self.box.slices] == self.number)
        return own


def regions(
    mask: Mask, context: float = 1.0, search: Mask | None = None, hidden: Mask | None = None
) -> list[Region]:
    """Find the regions that are needed to fill all holes of a mask.

    Each hole gets a margin of `context` times the side of a square of the same area, at least 128
    pixels. (The area, and not the bounding box, keeps the margin of thin holes small.) A box is
    enlarged further, up to the whole photo, until it has three known pixels per hole pixel.

    Overlapping boxes are merged. A merged box that is larger than 768 x 768 pixels and holds
    several holes is split into smaller regions, each with its own holes and large holes first.
    Small scattered holes are put into tiles of 512 x 512 pixels, with a margin of 64.

    Args:
        mask: ``HW``, True = hole.
        context: Width of the margin, as a multiple of the side of a square of the hole's area.
        search: ``HW``, the region to copy from. Only known pixels inside it count; a box that has
            too few of them is enlarged to hold all of them. Overlapping boxes are then merged
            and never split.
        hidden: ``HW``, pixels of alpha 0, which do not count as known.

    Returns:
        Regions that together fill all holes; each hole pixel belongs to exactly one region.
    """
    stretch = search is not None
    usable = ~mask if search is None else search & ~mask
    if hidden is not None:
        usable &= ~hidden
    stop_point()
    boxes = [_with_margin(mask, hole, context) for hole in _hole_boxes(mask)]
    while True:
        stop_point()
        boxes = merge_overlapping(boxes)
        grown = [_with_material(box, mask, usable, stretch=stretch) for box in boxes]
        if grown == boxes:
            break
        boxes = grown
    if stretch:
        return [Region(box) for box in boxes]
    found: list[Region] = []
    for box in boxes:
        large = box.area > (TILE + 2 * LEAST_MARGIN) ** 2
        found += _tiled(box, mask, usable, context) if large else [Region(box)]
    return found


def _with_margin(mask: Mask, hole: Box, context: float) -> Box:
    side = math.sqrt(np.count_nonzero(mask[hole.slices]))
    return hole.grown(max(LEAST_MARGIN, round(context * side)), *mask.shape)


def _hole_boxes(mask: Mask) -> list[Box]:
    """Return the bounding boxes of the holes; holes within one or two cells share a box."""
    frame = bounding_box(mask)
    if frame is None:
        return []
    boxes = []
    for group in component_boxes(cells_of(mask[frame.slices])):
        cells = Box(*(CELL * side for side in (group.top, group.left, group.bottom, group.right)))
        cells = cells.moved(frame.top, frame.left)
        hole = bounding_box(mask[cells.slices])
        assert hole is not None
        boxes.append(hole.moved(cells.top, cells.left))
    return boxes


def _with_material(
    box: Box, mask: Mask, usable: Mask, *, stretch: bool, per_hole: float = KNOWN_PER_HOLE
) -> Box:
    """Enlarge a box until it contains enough usable pixels."""
    height, width = mask.shape
    while True:
        stop_point()
        hole = np.count_nonzero(mask[box.slices])
        if np.count_nonzero(usable[box.slices]) >= per_hole * hole:
            return box
        if stretch:
            material = bounding_box(usable)
            return box if material is None else box.union(material)
        larger = box.grown(max(box.height, box.width) // 4 + 1, height, width)
        if larger == box:
            return box
        box = larger


def _tiled(frame: Box, mask: Mask, usable: Mask, context: float) -> list[Region]:
    """Split a large box into regions; a box with a single hole stays one region."""
    holes = Holes(mask[frame.slices])
    groups = holes.groups(context)
    if len(groups) < 2:
        return [Region(frame)]
    for group in groups:
        hole = group.hole.moved(frame.top, frame.left)
        enough = KNOWN_PER_SPECK if group.is_tile else KNOWN_PER_HOLE
        box = hole.grown(group.margin, *mask.shape)
        group.box = _with_material(box, mask, usable, stretch=False, per_hole=enough)
    groups = _merged(groups)
    if len(groups) < 2:
        return [Region(frame)]
    groups.sort(key=lambda group: (group.is_tile, -group.area))
    numbers = np.zeros(mask.shape, np.min_scalar_type(len(groups)))
    holes.number(groups, numbers[frame.slices])
    return [Region(group.box, number, numbers) for number, group in enumerate(groups, 1)]


def _merged(groups: list[Group]) -> list[Group]:
    """Merge overlapping groups if their union costs no more than filling them separately."""
    tile = (TILE + 2 * LEAST_MARGIN) ** 2
    merged: list[Group] = []
    for group in groups:
        stop_point()
        pending = group
        while True:
            for other in merged:
                union, both = pending.box.union(other.box).area, pending.box.area + other.box.area
                if union <= (both if union <= tile else WORTH_MERGING * both):
                    merged.remove(other)
                    pending = pending.with_others(other)
                    break
            else:
                break
        merged.append(pending)
    return merged
