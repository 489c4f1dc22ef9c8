"""Drawing lines in masks.

OpenCV draws them, with integer coordinates, without anti-aliasing and with round joints. Its lines
and full ellipses have the same pixels in versions 4 and 5 (unlike its arcs and polygons), so that
the same seed gives the same mask everywhere.
"""

from __future__ import annotations

import math

import cv2
import numpy as np

from gatefill.masks.base import Canvas

Point = tuple[int, int]  # column, row

# OpenCV refuses thicker lines; only frames of more than 30,000 pixels a side reach this limit.
THICKEST = 32767


def step(start: Point, angle: float, length: float, height: int, width: int) -> Point:
    """Return the point `length` pixels from `start`, clipped to the frame.

    The angle, in radians, is that of a right-handed plot of columns and rows.
    """
    column = int(start[0] + length * math.cos(angle))
    row = int(start[1] + length * math.sin(angle))
    return min(max(column, 0), width), min(max(row, 0), height)


def draw_line(drawing: Canvas, points: list[Point], thickness: int) -> None:
    """Draw a line through the points with round joints and ends.

    OpenCV draws odd widths only: 1 for a `thickness` below 2, else the next odd number above it.
    """
    thickness = min(max(thickness, 1), THICKEST)
    cv2.polylines(drawing, [np.array(points, np.int32)], False, 1, thickness, cv2.LINE_8)


def random_spot(drawing: Canvas, rng: np.random.Generator) -> Point:
    height, width = drawing.shape
    return int(rng.integers(width)), int(rng.integers(height))
