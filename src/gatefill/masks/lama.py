"""The three mask sets of LaMa's evaluation: thin, medium and thick."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from gatefill.masks.base import Canvas, Chance, Mask, canvas, finished, generator, hole_share
from gatefill.masks.strokes import draw_line, step


@dataclass(frozen=True)
class LamaConfig:
    """One mask set of LaMa's evaluation (arXiv 2109.07161), as in its published configs.

    Lengths are pixels in a frame whose shorter side is `frame`. A mask consists of strokes or, if
    `boxes` is set, in .3 of 1.3 cases of boxes.
    """

    frame: int
    strokes: tuple[int, int]
    length: int
    width: int
    boxes: tuple[int, int] | None = None
    box_side: tuple[int, int] = (0, 0)
    margin: int = 0  # between boxes and the border of the frame
    segments: tuple[int, int] = (1, 5)  # of each stroke
    directions: int = 4  # a segment points to 0, 1, 2 or 3 radians
    box_odds: float = 0.3
    largest_share: float = 0.5  # masks with more hole pixels are discarded


# Published for 256 and for 512 pixels, which are not the same up to scale. The released generator
# draws up to one stroke more than its configs say; these numbers include it.
LAMA_THIN = (
    LamaConfig(frame=256, strokes=(4, 51), length=40, width=10),
    LamaConfig(frame=512, strokes=(4, 71), length=100, width=20),
)
LAMA_MEDIUM = (
    LamaConfig(frame=256, strokes=(4, 6), length=100, width=50, boxes=(1, 5), box_side=(10, 50)),
    LamaConfig(frame=512, strokes=(4, 11), length=200, width=100, boxes=(1, 5), box_side=(30, 150)),
)
LAMA_THICK = (
    LamaConfig(256, (1, 6), length=200, width=100, boxes=(1, 3), box_side=(30, 150), margin=10),
    LamaConfig(512, (1, 6), length=450, width=250, boxes=(1, 4), box_side=(30, 300), margin=10),
)


def lama_thin(height: int, width: int, chance: Chance) -> Mask:
    """The thin (narrow) masks of LaMa's evaluation.

    Args:
        height, width: Size of the mask in pixels.
        chance: A random seed, or a generator to draw from.

    Returns:
        Bool ``HW``, True = hole.
    """
    return lama(height, width, chance, _nearest(height, width, LAMA_THIN))


def lama_medium(height: int, width: int, chance: Chance) -> Mask:
    """The medium masks of LaMa's evaluation.

    Args:
        height, width: Size of the mask in pixels.
        chance: A random seed, or a generator to draw from.

    Returns:
        Bool ``HW``, True = hole.
    """
    return lama(height, width, chance, _nearest(height, width, LAMA_MEDIUM))


def lama_thick(height: int, width: int, chance: Chance) -> Mask:
    """The thick (wide) masks of LaMa's evaluation.

    Args:
        height, width: Size of the mask in pixels.
        chance: A random seed, or a generator to draw from.

    Returns:
        Bool ``HW``, True = hole.
    """
    return lama(height, width, chance, _nearest(height, width, LAMA_THICK))


def _nearest(height: int, width: int, published: tuple[LamaConfig, ...]) -> LamaConfig:
    """Return the published parameters for the frame size with the nearest ratio."""
    shorter = max(min(height, width), 1)
    return min(published, key=lambda config: abs(math.log(shorter / config.frame)))


def lama(height: int, width: int, chance: Chance, config: LamaConfig) -> Mask:
    """Make a mask of one of LaMa's sets; lengths scale with the frame's shorter side.

    Args:
        height, width: Size of the mask in pixels.
        chance: A random seed, or a generator to draw from.
        config: Parameters of the set.

    Returns:
        Bool ``HW``, True = hole.
    """
    rng = generator(chance)
    best: Mask | None = None
    for _ in range(20):  # at most one mask in ten exceeds `largest_share`
        drawing = canvas(height, width)
        if config.boxes is not None and rng.random() < config.box_odds / (1 + config.box_odds):
            _lama_boxes(drawing, rng, config, config.boxes)
        else:
            _lama_strokes(drawing, rng, config)
        mask = finished(drawing, rng)
        if best is None or hole_share(mask) < hole_share(best):
            best = mask
        if hole_share(mask) <= config.largest_share:
            return mask
    assert best is not None
    return best


def _lama_strokes(drawing: Canvas, rng: np.random.Generator, config: LamaConfig) -> None:
    height, width = drawing.shape
    scale = min(height, width) / config.frame
    for stroke in range(rng.integers(*config.strokes, endpoint=True)):
        point = (int(rng.integers(width)), int(rng.integers(height)))
        for _ in range(rng.integers(*config.segments, endpoint=True)):
            # Angles are measured from the column axis upwards, hence pi/2 minus.
            angle = math.pi / 2 - 0.01 - int(rng.integers(config.directions))
            if stroke % 2 == 0:
                angle = math.pi - angle
            length = (10 + int(rng.integers(config.length))) * scale
            thickness = (5 + int(rng.integers(config.width))) * scale
            end = step(point, angle, length, height, width)
            draw_line(drawing, [point, end], round(thickness))
            point = end


def _lama_boxes(
    drawing: Canvas, rng: np.random.Generator, config: LamaConfig, boxes: tuple[int, int]
) -> None:
    height, width = drawing.shape
    scale = min(height, width) / config.frame
    margin = round(config.margin * scale)
    low, high = (max(round(side * scale), 1) for side in config.box_side)
    for _ in range(rng.integers(*boxes, endpoint=True)):
        wide, tall = (int(side) for side in rng.integers(low, high, size=2, endpoint=True))
        left = int(rng.integers(margin, max(width - margin - wide, margin), endpoint=True))
        top = int(rng.integers(margin, max(height - margin - tall, margin), endpoint=True))
        drawing[top : top + tall, left : left + wide] = 1
