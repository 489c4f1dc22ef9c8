"""The parts of a large photo that have to be looked at to fill its holes."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from gatefill.geometry import Box, bounding_box, component_boxes, merge_overlapping

Mask = NDArray[np.bool_]

# Holes nearer to each other than this count as one: dust and scratches come by the thousand, and
# their contexts would overlap anyway.
CELL = 32

LEAST_MARGIN = 128  # pixels around a hole, however small it is
KNOWN_PER_HOLE = 3  # known pixels for every hole pixel that a region must hold


def regions(
    mask: Mask, context: float = 1.0, search: Mask | None = None, hidden: Mask | None = None
) -> list[Box]:
    """Boxes that hold all holes of ``HW`` with enough around them; no two overlap.

    Around each hole lies a margin of `context` times the side of a square of its area, 128 pixels
    at least: so wires and clouds of specks are not taken for blocks. A box grows further, to the
    whole frame if need be, until three pixels are known for each hole pixel. With `search` (where
    material may come from) only known pixels inside it count, and a box that has too few of them
    is stretched to hold all of them. Pixels that are `hidden` by alpha do not count as known.
    """
    height, width = mask.shape
    usable = ~mask if search is None else search & ~mask
    if hidden is not None:
        usable = usable & ~hidden
    boxes = []
    for hole in _hole_boxes(mask):
        side = math.sqrt(np.count_nonzero(mask[hole.slices]))
        margin = max(LEAST_MARGIN, round(context * side))
        boxes.append(hole.grown(margin, height, width))
    while True:
        boxes = merge_overlapping(boxes)
        grown = [_with_material(box, mask, usable, stretch=search is not None) for box in boxes]
        if grown == boxes:
            return boxes
        boxes = grown


def _hole_boxes(mask: Mask) -> list[Box]:
    """The boxes of the holes, neighbours within a cell or two taken together."""
    frame = bounding_box(mask)
    if frame is None:
        return []
    part = mask[frame.slices]
    rows, columns = (np.arange(0, side, CELL) for side in part.shape)
    cells = np.logical_or.reduceat(np.logical_or.reduceat(part, rows, axis=0), columns, axis=1)
    boxes = []
    for group in component_boxes(cells):
        top, left = frame.top + group.top * CELL, frame.left + group.left * CELL
        tall, wide = group.height * CELL, group.width * CELL
        hole = bounding_box(mask[top : top + tall, left : left + wide])
        assert hole is not None
        boxes.append(Box(top + hole.top, left + hole.left, top + hole.bottom, left + hole.right))
    return boxes


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
