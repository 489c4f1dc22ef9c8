"""Irregular masks: random lines, curves, arcs and ellipses."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from gatefill.masks.base import Canvas, Chance, Mask, canvas, finished, generator
from gatefill.masks.strokes import draw_line, random_spot


@dataclass(frozen=True)
class IrregularConfig:
    """Random shapes as used with partial convolutions (arXiv 1804.07723).

    The masks of that paper were derived from videos and published as files; this generator is the
    usual substitute.
    """

    shapes: tuple[int, int] = (1, 8)  # number of each kind: lines, curves, arcs, filled ellipses
    thickness: tuple[float, float] = (0.006, 0.03)  # as a share of height + width
    reach: float = 0.25  # largest semi-axis of arcs, as a share of the frame's side


def irregular(
    height: int, width: int, chance: Chance, config: IrregularConfig = IrregularConfig()
) -> Mask:
    """Draw random lines, curves, arcs and ellipses over each other.

    Args:
        height, width: Size of the mask in pixels.
        chance: A random seed, or a generator to draw from.
        config: Number and size of the shapes.

    Returns:
        Bool ``HW``, True = hole.
    """
    rng = generator(chance)
    drawing = canvas(height, width)
    for draw in (_line, _curve, _arc, _ellipse):
        for _ in range(rng.integers(*config.shapes, endpoint=True)):
            thickness = round(rng.uniform(*config.thickness) * (height + width))
            draw(drawing, rng, max(thickness, 1), config)
    return finished(drawing, rng)


def _line(drawing: Canvas, rng: np.random.Generator, thickness: int, _: IrregularConfig) -> None:
    draw_line(drawing, [random_spot(drawing, rng), random_spot(drawing, rng)], thickness)


def _curve(drawing: Canvas, rng: np.random.Generator, thickness: int, _: IrregularConfig) -> None:
    """Draw a quadratic Bezier curve of 16 segments, in integer coordinates."""
    (x0, y0), (x1, y1), (x2, y2) = (random_spot(drawing, rng) for _ in range(3))
    points = []
    for step in range(17):
        a, b, c = (16 - step) ** 2, 2 * step * (16 - step), step**2
        points.append(((a * x0 + b * x1 + c * x2) // 256, (a * y0 + b * y1 + c * y2) // 256))
    draw_line(drawing, points, thickness)


def _arc(
    drawing: Canvas, rng: np.random.Generator, thickness: int, config: IrregularConfig
) -> None:
    """Draw a part of an ellipse, as straight segments of ten degrees."""
    height, width = drawing.shape
    column, row = random_spot(drawing, rng)
    wide = _half_axis(width, config.reach, rng)
    tall = _half_axis(height, config.reach, rng)
    start, pieces = int(rng.integers(36)), int(rng.integers(1, 36, endpoint=True))
    points = []
    for piece in range(start, start + pieces + 1):
        angle = math.radians(10 * piece)
        points.append((column + int(wide * math.cos(angle)), row + int(tall * math.sin(angle))))
    draw_line(drawing, points, thickness)


def _ellipse(drawing: Canvas, rng: np.random.Generator, thickness: int, _: IrregularConfig) -> None:
    axes = (int(rng.integers(thickness, endpoint=True)), int(rng.integers(1, thickness + 1)))
    cv2.ellipse(drawing, random_spot(drawing, rng), axes, int(rng.integers(180)), 0, 360, 1, -1)


def _half_axis(length: int, reach: float, rng: np.random.Generator) -> int:
    return int(rng.integers(1, max(int(length * reach), 1), endpoint=True))
