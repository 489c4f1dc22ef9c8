"""Rectangular holes: the paper's random box and the hole in the middle."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gatefill.errors import ConfigError
from gatefill.masks.base import Chance, Mask, canvas, finished, generator


@dataclass(frozen=True)
class BoxConfig:
    """The box of arXiv 1806.03589: 128x128 in a frame of 256x256, shrunk by 0..16 on each side."""

    side: float = 1 / 2  # of the frame's side, for height and width alike
    shrink: float = 1 / 16  # of the frame's side: the most that is taken off at both ends

    def __post_init__(self) -> None:
        if not 0 <= 2 * self.shrink < self.side <= 1:
            raise ConfigError(
                "expected a box side in (0, 1] of the frame and less than half of it as shrink, "
                f"got side {self.side} and shrink {self.shrink}",
                code="masks.box",
                side=self.side,
                shrink=self.shrink,
            )


def box(height: int, width: int, chance: Chance, config: BoxConfig = BoxConfig()) -> Mask:
    """One box somewhere in the frame, as the paper trains with; mean hole share .191.

    Args:
        height, width: Size of the mask in pixels.
        chance: A random seed, or a generator to draw from.
        config: Sides of the box.

    Returns:
        Bool ``HW``, True = hole.
    """
    rng = generator(chance)
    drawing = canvas(height, width)
    rows = _span(height, rng, config)
    columns = _span(width, rng, config)
    drawing[rows, columns] = 1
    return finished(drawing, rng)


def center(height: int, width: int, chance: Chance = 0) -> Mask:
    """A hole of half the height and half the width in the middle; nothing is random.

    Args:
        height, width: Size of the mask in pixels.
        chance: Not used; all kinds of masks are called alike.

    Returns:
        Bool ``HW``, True = hole.
    """
    drawing = canvas(height, width)
    tall, wide = max(height // 2, 1), max(width // 2, 1)
    top, left = (height - tall) // 2, (width - wide) // 2
    drawing[top : top + tall, left : left + wide] = 1
    return finished(drawing, generator(chance))


def _span(length: int, rng: np.random.Generator, config: BoxConfig) -> slice:
    """Where a box lies along one side of the frame, at least one pixel of it."""
    side = max(round(length * config.side), 1)
    start = int(rng.integers(length - side, endpoint=True))
    shrink = int(rng.integers(round(length * config.shrink), endpoint=True))
    shrink = min(shrink, (side - 1) // 2)
    return slice(start + shrink, start + side - shrink)
