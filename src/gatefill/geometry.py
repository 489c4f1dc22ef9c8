"""Boxes in an image, bounding boxes of holes, and padding to a multiple."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from gatefill.stopping import left_behind


@dataclass(frozen=True, slots=True)
class Box:
    """Half-open rectangle of pixels: rows top..bottom-1, columns left..right-1."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def height(self) -> int:
        return self.bottom - self.top

    @property
    def width(self) -> int:
        return self.right - self.left

    @property
    def area(self) -> int:
        return self.height * self.width

    @property
    def slices(self) -> tuple[slice, slice]:
        """Index of the box in an array ``HW...``."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def grown(self, margin: int, height: int, width: int) -> Box:
        """Return the box with a margin on each side, clipped to a frame.

        Args:
            margin: Pixels to add on each side.
            height, width: Size of the frame.
        """
        return Box(
            max(self.top - margin, 0),
            max(self.left - margin, 0),
            min(self.bottom + margin, height),
            min(self.right + margin, width),
        )

    def moved(self, down: int, right: int) -> Box:
        """Return the box shifted down and to the right by these numbers of pixels."""
        return Box(self.top + down, self.left + right, self.bottom + down, self.right + right)

    def overlaps(self, other: Box) -> bool:
        """Return whether the two boxes share a pixel."""
        return (
            self.top < other.bottom
            and other.top < self.bottom
            and self.left < other.right
            and other.left < self.right
        )

    def union(self, other: Box) -> Box:
        """Return the smallest box that contains both."""
        return Box(
            min(self.top, other.top),
            min(self.left, other.left),
            max(self.bottom, other.bottom),
            max(self.right, other.right),
        )


def bounding_box(mask: NDArray[np.bool_]) -> Box | None:
    """Return the smallest box around all holes of a bool mask ``HW``; None without a hole."""
    rows = np.flatnonzero(mask.any(axis=1))
    columns = np.flatnonzero(mask.any(axis=0))
    if rows.size == 0:
        return None
    return Box(int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1)


def hole_pixels(mask: NDArray[np.bool_]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return the rows and the columns of the hole pixels of a bool mask ``HW``, in scan order."""
    box = bounding_box(mask)
    if box is None:
        return np.zeros(0, np.int32), np.zeros(0, np.int32)
    ys, xs = (axis.astype(np.int32) for axis in np.nonzero(mask[box.slices]))
    return ys + np.int32(box.top), xs + np.int32(box.left)


def component_boxes(mask: NDArray[np.bool_]) -> list[Box]:
    """Return the bounding box of each 8-connected hole of a bool mask ``HW``, in scan order."""
    frame = bounding_box(mask)
    if frame is None:
        return []
    boxes = []
    for left, top, width, height, _ in _components(mask, frame).tolist():
        boxes.append(Box(top, left, top + height, left + width).moved(frame.top, frame.left))
    return boxes


def longest_side(mask: NDArray[np.bool_]) -> int:
    """Return the longest side of all boxes that `component_boxes` finds; 0 without a hole."""
    frame = bounding_box(mask)
    return 0 if frame is None else int(_components(mask, frame)[:, 2:4].max())


def _components(mask: NDArray[np.bool_], frame: Box) -> NDArray[np.int32]:
    """Return left, top, width, height and area of each 8-connected hole inside a frame."""
    within = np.ascontiguousarray(mask[frame.slices]).view(np.uint8)
    _, _, stats, _ = left_behind(
        lambda: cv2.connectedComponentsWithStats(within, connectivity=8), within.size
    )
    return np.asarray(stats[1:], np.int32)


def merge_overlapping(boxes: list[Box]) -> list[Box]:
    """Replace boxes that overlap by their union until no two overlap."""
    merged: list[Box] = []
    for box in boxes:
        pending = box
        while True:
            hits = [other for other in merged if other.overlaps(pending)]
            if not hits:
                break
            for other in hits:
                merged.remove(other)
                pending = pending.union(other)
        merged.append(pending)
    return merged


def pad_to_multiple(array: NDArray, multiple: int) -> NDArray:  # type: ignore[type-arg]
    """Pad ``HW...`` at the bottom and right until both sides are multiples of `multiple`.

    The content is reflected (without repeating the edge pixel) as far as it reaches; beyond that
    the edge is repeated, so that any size from 1x1 works. Crop ``[:H, :W]`` to undo it.

    Args:
        array: ``HW...`` of any dtype.
        multiple: 1 or more.

    Returns:
        The array itself if both sides are multiples already, else a new one.
    """
    height, width = array.shape[:2]
    down, right = -height % multiple, -width % multiple
    if not down and not right:
        return array
    rest = [(0, 0)] * (array.ndim - 2)
    mirrored = (min(down, height - 1), min(right, width - 1))
    array = np.pad(array, [(0, mirrored[0]), (0, mirrored[1]), *rest], mode="reflect")
    left_over = (down - mirrored[0], right - mirrored[1])
    return np.pad(array, [(0, left_over[0]), (0, left_over[1]), *rest], mode="edge")
