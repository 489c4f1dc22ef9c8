"""The parts of a large photo that have to be looked at to fill its holes."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from gatefill.geometry import Box, bounding_box, component_boxes, merge_overlapping

Mask = NDArray[np.bool_]
Pixels = NDArray[np.int32]

# Holes nearer to each other than this count as one: dust and scratches come by the thousand, and
# their contexts would overlap anyway.
CELL = 32

LEAST_MARGIN = 128  # pixels around a hole, however small it is
KNOWN_PER_HOLE = 3  # known pixels for every hole pixel that a region must hold

# Scattered holes are worked off in tiles, so that no region grows to the whole photo.
TILE = 512  # side of a tile, pixels
SPECK = 128  # longest side of a hole that is put into a tile with others
SPECK_MARGIN = 64  # pixels around a tile's holes
WORTH_MERGING = 0.75  # of two regions' areas: a union larger than a tile's must be smaller than it


@dataclass(frozen=True, eq=False)
class Region:
    """A box that is looked at, and which of the holes in it are filled from there."""

    box: Box
    number: int = 0
    numbers: NDArray[np.int32] | None = None  # HW, of the region that fills each hole pixel

    def own(self, mask: Mask) -> Mask:
        """The part of a mask ``HW`` that is filled from here, in the box."""
        part: Mask = mask[self.box.slices]
        if self.numbers is None:
            return part
        own: Mask = part & (self.numbers[self.box.slices] == self.number)
        return own


def regions(
    mask: Mask, context: float = 1.0, search: Mask | None = None, hidden: Mask | None = None
) -> list[Region]:
    """The regions from which all holes of ``HW`` are filled, with enough around them.

    Around each hole lies a margin of `context` times the side of a square of its area, 128 pixels
    at least: so wires and clouds of specks are not taken for blocks. A box grows further, to the
    whole frame if need be, until three pixels are known for each hole pixel.

    Boxes that overlap become one. Where that one is larger than 768 x 768 pixels and holds several
    holes, they are filled from smaller boxes, each with its own holes, large holes first: specks
    that are scattered over a photo in tiles of 512 x 512 pixels, with a margin of 64.

    Args:
        mask: ``HW``, True = hole.
        context: Width of the margin, as a multiple.
        search: ``HW``, where material may come from. Only known pixels inside it count, and a box
            that has too few of them is stretched to hold all of them. Overlapping boxes are one.
        hidden: ``HW``, pixels that alpha hides, which do not count as known.

    Returns:
        Regions whose own holes are those of the mask, each in one region.
    """
    stretch = search is not None
    usable = ~mask if search is None else search & ~mask
    if hidden is not None:
        usable &= ~hidden
    boxes = [_with_margin(mask, hole, context) for hole in _hole_boxes(mask)]
    while True:
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
    """The boxes of the holes, neighbors within a cell or two taken together."""
    frame = bounding_box(mask)
    if frame is None:
        return []
    boxes = []
    for group in component_boxes(_cells(mask[frame.slices])):
        cells = Box(*(CELL * side for side in (group.top, group.left, group.bottom, group.right)))
        cells = cells.moved(frame.top, frame.left)
        hole = bounding_box(mask[cells.slices])
        assert hole is not None
        boxes.append(hole.moved(cells.top, cells.left))
    return boxes


def _cells(mask: Mask) -> Mask:
    """Which squares of 32 x 32 pixels hold a pixel of the mask."""
    rows, columns = (np.arange(0, side, CELL) for side in mask.shape)
    cells: Mask = np.logical_or.reduceat(
        np.logical_or.reduceat(mask, rows, axis=0), columns, axis=1
    )
    return cells


def _with_material(box: Box, mask: Mask, usable: Mask, *, stretch: bool) -> Box:
    """The box, grown until it holds enough usable pixels."""
    height, width = mask.shape
    while True:
        hole = np.count_nonzero(mask[box.slices])
        if np.count_nonzero(usable[box.slices]) >= KNOWN_PER_HOLE * hole:
            return box
        if stretch:
            material = bounding_box(usable)
            return box if material is None else box.union(material)
        larger = box.grown(max(box.height, box.width) // 4 + 1, height, width)
        if larger == box:
            return box
        box = larger


def _tiled(frame: Box, mask: Mask, usable: Mask, context: float) -> list[Region]:
    """The regions of a box that is large for the holes in it; one where there is one hole only."""
    groups = _groups(mask[frame.slices], context)
    if len(groups) < 2:
        return [Region(frame)]
    for group in groups:
        hole = group.hole.moved(frame.top, frame.left)
        group.box = _with_material(
            hole.grown(group.margin, *mask.shape), mask, usable, stretch=False
        )
    groups = _merged(groups)
    if len(groups) < 2:
        return [Region(frame)]
    groups.sort(key=lambda group: (group.is_tile, -group.area))
    numbers = np.zeros(mask.shape, np.int32)
    for number, group in enumerate(groups, 1):
        for rows, columns in group.pixels:
            numbers[rows + frame.top, columns + frame.left] = number
    return [Region(group.box, number, numbers) for number, group in enumerate(groups, 1)]


@dataclass(eq=False)
class _Group:
    """Holes that are filled together."""

    hole: Box  # around them
    margin: int
    area: int  # hole pixels
    is_tile: bool  # whether they are specks
    pixels: list[tuple[Pixels, Pixels]]  # rows and columns
    box: Box = field(default=Box(0, 0, 0, 0))

    def with_others(self, other: _Group) -> _Group:
        return _Group(
            self.hole.union(other.hole),
            max(self.margin, other.margin),
            self.area + other.area,
            self.is_tile and other.is_tile,
            self.pixels + other.pixels,
            self.box.union(other.box),
        )


def _groups(mask: Mask, context: float) -> list[_Group]:
    """Holes as they are to be filled together; connected ones are never parted.

    Holes near each other stay together where there are few of them; of larger clouds each hole is
    taken by itself. Small ones go into tiles.
    """
    rows, columns = (axis.astype(np.int32) for axis in np.nonzero(mask))
    _, near = cv2.connectedComponents(_cells(mask).astype(np.uint8), connectivity=8)
    _, apart = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    cloud = near[rows // CELL, columns // CELL]
    groups: list[_Group] = []
    tiles: dict[tuple[int, int], _Group] = {}
    pending = [(pixels, True) for pixels in _parts(cloud, rows, columns)]
    for pixels, is_cloud in pending:
        box = _box_around(pixels)
        longest = max(box.height, box.width)
        if is_cloud and longest > SPECK:
            pending += [(part, False) for part in _parts(apart[pixels], *pixels)]
            continue
        area = len(pixels[0])
        if longest > SPECK:
            margin = max(LEAST_MARGIN, round(context * math.sqrt(area)))
            groups.append(_Group(box, margin, area, False, [pixels]))
            continue
        group = _Group(box, max(SPECK_MARGIN, round(context * longest)), area, True, [pixels])
        place = (box.top + box.bottom) // (2 * TILE), (box.left + box.right) // (2 * TILE)
        tiles[place] = tiles[place].with_others(group) if place in tiles else group
    return groups + list(tiles.values())


def _parts(labels: NDArray[Any], rows: Pixels, columns: Pixels) -> list[tuple[Pixels, Pixels]]:
    """Rows and columns of the pixels of each label."""
    order = np.argsort(labels, kind="stable")
    ends = np.flatnonzero(np.diff(labels[order])) + 1
    return list(zip(np.split(rows[order], ends), np.split(columns[order], ends), strict=True))


def _box_around(pixels: tuple[Pixels, Pixels]) -> Box:
    rows, columns = pixels
    top, left = int(rows.min()), int(columns.min())
    return Box(top, left, int(rows.max()) + 1, int(columns.max()) + 1)


def _merged(groups: list[_Group]) -> list[_Group]:
    """Overlapping groups as one where looking at their union costs no more."""
    tile = (TILE + 2 * LEAST_MARGIN) ** 2
    merged: list[_Group] = []
    for group in groups:
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
