"""The parts of a large photo that are needed to fill its holes."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from gatefill.geometry import Box, bounding_box, component_boxes, merge_overlapping
from gatefill.stopping import stop_point

Mask = NDArray[np.bool_]
Pixels = NDArray[np.int32]

# Nearby holes are treated as one, in cells of this side: dust can have thousands of holes, whose
# margins would overlap anyway.
CELL = 32

LEAST_MARGIN = 128  # minimum margin around a hole, pixels
KNOWN_PER_HOLE = 3  # minimum number of known pixels per hole pixel in a region

# Small scattered holes are filled in tiles; otherwise one region could grow to the whole photo.
TILE = 512  # side of a tile, pixels
SPECK = 128  # largest side of a hole that shares a tile with others, pixels
SPECK_MARGIN = 64  # pixels around a tile's holes
# Two regions whose union is larger than a tile are merged only if its area is below this fraction
# of the sum of their areas.
WORTH_MERGING = 0.75


@dataclass(frozen=True, eq=False)
class Region:
    """A box of the photo that a method gets, and the holes in it that it fills."""

    box: Box
    number: int = 0
    numbers: NDArray[np.int32] | None = None  # HW, number of the region of each hole pixel

    def own(self, mask: Mask) -> Mask:
        """The part of a mask ``HW`` that this region fills, cropped to its box."""
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
    """Bounding boxes of the holes; holes less than one or two cells apart share a box."""
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
    height, width = mask.shape
    full = height // CELL
    rows = np.logical_or.reduce(mask[: full * CELL].reshape(full, CELL, width), axis=1)
    if height % CELL:
        rows = np.concatenate([rows, mask[full * CELL :].any(axis=0, keepdims=True)])
    cells: Mask = np.logical_or.reduceat(rows, np.arange(0, width, CELL), axis=1)
    return cells


def _with_material(box: Box, mask: Mask, usable: Mask, *, stretch: bool) -> Box:
    """The box, enlarged until it holds enough usable pixels."""
    height, width = mask.shape
    while True:
        stop_point()
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
    """Split a large box into regions; a box with a single hole stays one region."""
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
        stop_point()
        for rows, columns in group.pixels:
            numbers[rows + frame.top, columns + frame.left] = number
    return [Region(group.box, number, numbers) for number, group in enumerate(groups, 1)]


@dataclass(eq=False)
class _Group:
    """Holes that are filled together."""

    hole: Box  # bounding box of the holes
    margin: int
    area: int  # hole pixels
    is_tile: bool  # whether they are small holes that share a tile
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
    """Group holes that are filled together; a connected hole is never split.

    Nearby holes stay together if their bounding box is small; in larger clusters each hole is
    handled separately. Small holes are put into tiles.
    """
    rows, columns = (axis.astype(np.int32) for axis in np.nonzero(mask))
    _, near = cv2.connectedComponents(_cells(mask).astype(np.uint8), connectivity=8)
    _, apart = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    stop_point()
    cloud = near[rows // CELL, columns // CELL]
    groups: list[_Group] = []
    tiles: dict[tuple[int, int], _Group] = {}
    pending = [(*part, True) for part in _parts(cloud, rows, columns)]
    for pixels, box, is_cloud in pending:
        stop_point()
        longest = max(box.height, box.width)
        if is_cloud and longest > SPECK:
            pending += [(*part, False) for part in _parts(apart[pixels], *pixels)]
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


def _parts(
    labels: NDArray[Any], rows: Pixels, columns: Pixels
) -> list[tuple[tuple[Pixels, Pixels], Box]]:
    """Rows and columns of the pixels of each label, and the box around them."""
    stop_point()
    order = np.argsort(labels, kind="stable")
    stop_point()
    labels, rows, columns = labels[order], rows[order], columns[order]
    stop_point()
    starts = np.flatnonzero(np.r_[True, labels[1:] != labels[:-1]])
    ends = [*starts[1:].tolist(), len(rows)]
    sides = np.stack(
        [
            np.minimum.reduceat(rows, starts),
            np.minimum.reduceat(columns, starts),
            np.maximum.reduceat(rows, starts) + 1,
            np.maximum.reduceat(columns, starts) + 1,
        ],
        axis=1,
    )
    return [
        ((rows[start:end], columns[start:end]), Box(*box))
        for start, end, box in zip(starts.tolist(), ends, sides.tolist(), strict=True)
    ]


def _merged(groups: list[_Group]) -> list[_Group]:
    """Merge overlapping groups if their union costs no more than filling them separately."""
    tile = (TILE + 2 * LEAST_MARGIN) ** 2
    merged: list[_Group] = []
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
