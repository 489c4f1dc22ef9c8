"""Drawing lines in masks.

OpenCV draws them, with whole-number coordinates, without smoothing and with round joints. Its
lines and full ellipses have the same pixels in versions 4 and 5 (its arcs and polygons do not), so
that the same seed gives the same mask everywhere.
"""

from __future__ import annotations

import math

import cv2
import numpy as np

from gatefill.masks.base import Canvas

Point = tuple[int, int]  # column, row

# OpenCV refuses thicker lines; reached only by frames of more than 30,000 pixels.
THICKEST = 32767


def step(start: Point, angle: float, length: float, height: int, width: int) -> Point:
    """The point `length` pixels from `start`, kept in the frame; angles as in a right-hand plot
    of columns and rows."""
    column = int(start[0] + length * math.cos(angle))
    row = int(start[1] + length * math.sin(angle))
    return min(max(column, 0), width), min(max(row, 0), height)


def draw_line(drawing: Canvas, points: list[Point], thickness: int) -> None:
    """A line through the points with round joints and ends.

    OpenCV draws odd widths only: 1 for a `thickness` below 2, else the next odd number above it.
    """
    thickness = min(max(thickness, 1), THICKEST)
    cv2.polylines(drawing, [np.array(points, np.int32)], False, 1, thickness, cv2.LINE_8)


def random_spot(drawing: Canvas, rng: np.random.Generator) -> Point:
    height, width = drawing.shape
    return int(rng.integers(width)), int(rng.integers(height))
