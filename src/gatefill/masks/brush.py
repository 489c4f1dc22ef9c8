"""The brush strokes of the paper, and their union with its box."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from gatefill.masks.base import Chance, Mask, canvas, finished, generator
from gatefill.masks.boxes import box
from gatefill.masks.strokes import Point, draw_line, step


@dataclass(frozen=True)
class BrushConfig:
    """The brush strokes of arXiv 1806.03589; lengths are pixels in a frame of 256x256.

    Lengths scale with the diagonal of the frame, so that the hole share does not depend on its
    size.
    """

    strokes: tuple[int, int] = (1, 3)
    segments: tuple[int, int] = (4, 11)  # of each stroke
    turn: float = 2 * math.pi / 5  # mean angle between two segments, radians
    turn_spread: float = 2 * math.pi / 15
    width: tuple[float, float] = (12, 40)


def brush(height: int, width: int, chance: Chance, config: BrushConfig = BrushConfig()) -> Mask:
    """Draw the free-form strokes of the paper; mean hole share .150.

    Two defects of the released generator are not reproduced: its random flips had no effect, and it
    swapped height and width.

    Args:
        height: Height of the mask in pixels.
        width: Width of the mask in pixels.
        chance: A random seed, or a generator to draw from.
        config: Number and size of the strokes.

    Returns:
        Bool ``HW``, True = hole.
    """
    rng = generator(chance)
    drawing = canvas(height, width)
    for _ in range(rng.integers(*config.strokes, endpoint=True)):
        points = _stroke_points(height, width, rng, config)
        scale = math.hypot(height, width) / math.hypot(256, 256)
        radius = int(rng.uniform(*config.width) * scale) // 2
        draw_line(drawing, points, 2 * radius)
    if rng.random() < 0.5:
        drawing = drawing[::-1]
    if rng.random() < 0.5:
        drawing = drawing[:, ::-1]
    return finished(drawing, rng)


def _stroke_points(
    height: int, width: int, rng: np.random.Generator, config: BrushConfig
) -> list[Point]:
    """Return the corners of one stroke: a zigzag in which every other segment turns back."""
    reach = math.hypot(height, width) / 8
    least = config.turn - rng.uniform(0, config.turn_spread)
    most = config.turn + rng.uniform(0, config.turn_spread)
    points = [(int(rng.integers(width)), int(rng.integers(height)))]
    for segment in range(rng.integers(*config.segments, endpoint=True)):
        angle = rng.uniform(least, most)
        if segment % 2 == 0:
            angle = 2 * math.pi - angle
        length = min(max(rng.normal(reach, reach // 2), 0), 2 * reach)
        points.append(step(points[-1], angle, length, height, width))
    return points


def box_or_brush(height: int, width: int, chance: Chance) -> Mask:
    """Combine a box and brush strokes, as DeepFill v2 is trained with; mean hole share .309.

    Args:
        height, width: Size of the mask in pixels.
        chance: A random seed, or a generator to draw from.

    Returns:
        Bool ``HW``, True = hole.
    """
    rng = generator(chance)
    union = box(height, width, rng) | brush(height, width, rng)
    return finished(union.astype(np.uint8), rng)
