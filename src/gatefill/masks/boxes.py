"""Rectangular holes: the random box of the paper, and a centered hole."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gatefill.errors import ConfigError
from gatefill.masks.base import Chance, Mask, canvas, finished, generator


@dataclass(frozen=True)
class BoxConfig:
    """The random box of arXiv 1806.03589: 128x128 in 256x256, reduced by 0..16 on each side."""

    side: float = 1 / 2  # as a share of the frame's height and width
    shrink: float = 1 / 16  # largest reduction at each end, as a share of the frame's side

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
    """Make one box at a random position, as DeepFill is trained with; mean hole share .191.

    Args:
        height, width: Size of the mask in pixels.
        chance: A random seed, or a generator to draw from.
        config: Size of the box.

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
    """Make a centered hole of half the height and half the width; nothing is random.

    Args:
        height, width: Size of the mask in pixels.
        chance: Not used; all mask generators have the same signature.

    Returns:
        Bool ``HW``, True = hole.
    """
    drawing = canvas(height, width)
    tall, wide = max(height // 2, 1), max(width // 2, 1)
    top, left = (height - tall) // 2, (width - wide) // 2
    drawing[top : top + tall, left : left + wide] = 1
    return finished(drawing, generator(chance))


def _span(length: int, rng: np.random.Generator, config: BoxConfig) -> slice:
    """Return the position of a box along one side of the frame, at least one pixel."""
    side = max(round(length * config.side), 1)
    start = int(rng.integers(length - side, endpoint=True))
    shrink = int(rng.integers(round(length * config.shrink), endpoint=True))
    shrink = min(shrink, (side - 1) // 2)
    return slice(start + shrink, start + side - shrink)
