"""Groups the holes of a mask into those that are filled together."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from gatefill.geometry import Box, bounding_box
from gatefill.stopping import left_behind, stop_point, strips

Mask = NDArray[np.bool_]
Ints = NDArray[Any]

# Nearby holes are treated as one, in cells of this side: dust can have thousands of holes whose
# margins would overlap anyway.
CELL = 32

LEAST_MARGIN = 128  # minimum margin around a hole, pixels
# Small scattered holes are filled in tiles; otherwise one region could grow to the whole photo.
TILE = 512  # side of a tile, pixels
SPECK = 128  # largest side of a hole that shares a tile with others, pixels
SPECK_MARGIN = 64  # pixels around a tile's holes
THICK = 17  # side of a square that fits into a hole that is not thin, pixels
LARGEST_THIN = 200_000  # pixels of thin, large holes that are not cut along the tiles


@dataclass(eq=False)
class Group:
    """Holes that are filled together."""

    hole: Box  # bounding box of the holes
    margin: int
    area: int  # number of hole pixels
    is_tile: bool  # whether they are small holes that share a tile
    members: list[int]  # numbers of the groups that were merged into this one
    box: Box = field(default=Box(0, 0, 0, 0))

    def with_others(self, other: Group) -> Group:
        return Group(
            self.hole.union(other.hole),
            max(self.margin, other.margin),
            self.area + other.area,
            self.is_tile and other.is_tile,
            self.members + other.members,
            self.box.union(other.box),
        )


class Holes:
    """The connected holes of a mask, as arrays, since noise can have millions of them.

    Nearby holes stay together if their bounding box is small; in larger clusters each hole is
    handled separately. Small holes are grouped by tiles. A connected hole is never split, except
    large ones that are thin everywhere, as in noise or a screen: these are cut along the tiles.
    """

    def __init__(self, mask: Mask) -> None:
        self.mask = mask
        plane = np.ascontiguousarray(mask).view(np.uint8)
        found = left_behind(
            lambda: cv2.connectedComponentsWithStats(plane, connectivity=8), plane.size
        )
        self.labels: Ints = found[1]  # HW, 0 outside the holes
        stats = np.asarray(found[2])
        stats[0] = 0  # label 0: known pixels
        self.holes = _Boxes(
            np.concatenate([stats[:, 1::-1], stats[:, 1::-1] + stats[:, 3:1:-1]], axis=1),
            stats[:, 4],
        )
        self._group_of = np.zeros(len(stats), np.int32)  # group of each hole; 0 if it is cut
        self._tile_of = np.zeros([-(-side // TILE) for side in mask.shape], np.int32)
        self._cut = self._thin()

    def groups(self, context: float) -> list[Group]:
        """Group the holes that are filled together; context: see `regions`."""
        if len(self._group_of) == 2 and not self._cut.any():
            return [Group(self.holes.box(1), 0, int(self.holes.areas[1]), False, [1])]
        cloud_of = self._clouds()
        stop_point()
        clouds = self.holes.joined(cloud_of)
        stop_point()
        whole = clouds.longest <= SPECK  # clusters that are small enough to stay together
        unit_of = np.where(whole[cloud_of], cloud_of, len(whole) + np.arange(len(cloud_of)))
        units = _Boxes.of(clouds, self.holes)
        there = np.zeros(len(units.areas), np.bool_)
        there[unit_of[1:]] = True
        there[len(whole) + np.flatnonzero(self._cut)] = False
        large = np.flatnonzero(there & (units.longest > SPECK))
        group_of_unit = np.zeros(len(units.areas), np.int32)
        group_of_unit[large] = np.arange(1, len(large) + 1)
        groups = []
        for number, unit in enumerate(large.tolist(), 1):
            area = int(units.areas[unit])
            margin = max(LEAST_MARGIN, round(context * math.sqrt(area)))
            groups.append(Group(units.box(unit), margin, area, False, [number]))
        small = np.flatnonzero(there & (units.longest <= SPECK))
        tiles = self._in_tiles(units, small, group_of_unit, len(groups), context)
        self._group_of = group_of_unit[unit_of]
        self._group_of[self._cut] = 0
        return groups + tiles

    def _in_tiles(
        self, units: _Boxes, small: Ints, group_of_unit: Ints, before: int, context: float
    ) -> list[Group]:
        """Group small holes by the tile of their center, and add the holes that are cut."""
        columns = self._tile_of.shape[1]
        places = units.boxes[small]
        key = (places[:, 0] + places[:, 2]) // (2 * TILE) * columns
        key += (places[:, 1] + places[:, 3]) // (2 * TILE)
        keys, first, tile_of = np.unique(key, return_index=True, return_inverse=True)
        tiles = units.picked(small).joined(tile_of) if len(small) else None
        longest = np.zeros(len(keys), np.int64)
        np.maximum.at(longest, tile_of, units.longest[small])
        rank = np.empty(len(keys), np.int64)
        rank[np.argsort(first)] = np.arange(1, len(keys) + 1)  # in the order of their first hole
        group_of_unit[small] = before + rank[tile_of]
        groups: list[Group] = []
        for index in np.argsort(first).tolist():
            assert tiles is not None
            margin = max(SPECK_MARGIN, round(context * int(longest[index])))
            groups.append(Group(
                tiles.box(index), margin, int(tiles.areas[index]), True,
                [before + len(groups) + 1],
            ))  # fmt: skip
            self._tile_of.flat[keys[index]] = before + len(groups)
        for row, column in np.ndindex(*self._tile_of.shape) if self._cut.any() else ():
            stop_point()
            corner = Box(row * TILE, column * TILE, (row + 1) * TILE, (column + 1) * TILE)
            part = self._cut[self.labels[corner.slices]]
            hole = bounding_box(part)
            if hole is None:
                continue
            cut = Group(
                hole.moved(corner.top, corner.left),
                SPECK_MARGIN,
                int(np.count_nonzero(part)),
                True,
                [],
            )
            number = int(self._tile_of[row, column])
            if number:
                groups[number - before - 1] = groups[number - before - 1].with_others(cut)
            else:
                groups.append(cut)
                cut.members = [before + len(groups)]
                self._tile_of[row, column] = before + len(groups)
        return groups

    def number(self, groups: list[Group], numbers: NDArray[Any]) -> None:
        """Write the number of its group to each hole pixel. numbers: ``HW``, changed in place."""
        number_of = np.zeros(sum(len(group.members) for group in groups) + 1, numbers.dtype)
        for number, group in enumerate(groups, 1):
            number_of[group.members] = number
        of_hole, of_tile = number_of[self._group_of], number_of[self._tile_of]
        columns = np.arange(self.mask.shape[1]) // TILE
        for rows in strips(*self.mask.shape):
            labels = self.labels[rows]
            found = of_hole[labels]
            if self._cut.any():
                tile_rows = np.arange(rows.start, rows.stop) // TILE
                here = of_tile[tile_rows][:, columns]
                found = np.where(self._cut[labels], here, found)
            numbers[rows] = found

    def _thin(self) -> Mask:
        """Return a flag for each hole: whether it is cut along the tiles."""
        cut: Mask = self.holes.longest > SPECK
        if self.holes.areas[cut].sum() <= LARGEST_THIN:
            return np.zeros_like(cut)
        square = np.ones((THICK, THICK), np.uint8)
        height, width = self.mask.shape
        for rows in strips(height, width):
            around = slice(max(rows.start - THICK, 0), rows.stop + THICK)
            part = np.ascontiguousarray(self.mask[around]).view(np.uint8)
            core = cv2.erode(part, square).view(np.bool_)
            cut[self.labels[around][core]] = False
        if self.holes.areas[cut].sum() <= LARGEST_THIN:
            return np.zeros_like(cut)
        return cut

    def _clouds(self) -> Ints:
        """Return the number of each hole's cluster; clusters are at least one cell apart."""
        _, near = cv2.connectedComponents(cells_of(self.mask).astype(np.uint8), connectivity=8)
        cloud_of = np.zeros(len(self._group_of), np.int64)
        columns = np.arange(self.mask.shape[1]) // CELL
        for rows in strips(*self.mask.shape):
            cells = near[np.arange(rows.start, rows.stop) // CELL][:, columns]
            cloud_of[self.labels[rows]] = cells
        cloud_of[0] = 0
        return cloud_of


class _Boxes:
    """The bounding boxes of many holes, as arrays."""

    def __init__(self, boxes: Ints, areas: Ints) -> None:
        """boxes: ``N4``, (top, left, bottom, right); areas: ``N``, hole pixels in each box."""
        self.boxes, self.areas = boxes.astype(np.int32), areas.astype(np.int32)
        self.longest = (self.boxes[:, 2:] - self.boxes[:, :2]).max(axis=1, initial=0)

    @classmethod
    def of(cls, *parts: _Boxes) -> _Boxes:
        return cls(
            np.concatenate([each.boxes for each in parts]),
            np.concatenate([each.areas for each in parts]),
        )

    def box(self, index: int) -> Box:
        return Box(*self.boxes[index].tolist())

    def picked(self, which: Ints) -> _Boxes:
        return _Boxes(self.boxes[which], self.areas[which])

    def joined(self, number: Ints) -> _Boxes:
        """Return the union of the boxes of each number; boxes without hole pixels are ignored."""
        some = self.areas > 0
        count = int(number.max(initial=0)) + 1
        boxes = np.zeros((count, 4), np.int32)
        boxes[:, :2] = np.iinfo(np.int32).max
        areas = np.zeros(count, np.int32)
        np.minimum.at(boxes[:, :2], number[some], self.boxes[some, :2])
        np.maximum.at(boxes[:, 2:], number[some], self.boxes[some, 2:])
        np.add.at(areas, number[some], self.areas[some])
        boxes[areas == 0] = 0
        return _Boxes(boxes, areas)


def cells_of(mask: Mask) -> Mask:
    """Return which cells of 32 x 32 pixels contain a pixel of the mask."""
    height, width = mask.shape
    full = height // CELL
    rows = np.logical_or.reduce(mask[: full * CELL].reshape(full, CELL, width), axis=1)
    if height % CELL:
        rows = np.concatenate([rows, mask[full * CELL :].any(axis=0, keepdims=True)])
    cells: Mask = np.logical_or.reduceat(rows, np.arange(0, width, CELL), axis=1)
    return cells
