"""What all mask generators share: the type of one, its source of chance, what a mask must hold."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from gatefill.errors import ConfigError

Mask = NDArray[np.bool_]
Canvas = NDArray[np.uint8]
Chance = np.random.Generator | int
"""A generator to draw from, or a seed. The same seed gives the same masks on every machine."""


class MaskGenerator(Protocol):
    """Makes one mask: bool ``HW``, True = hole, for any size from 1x1.

    A mask of two pixels or more holds at least one hole pixel and one known pixel; the only pixel
    of a 1x1 mask is hole. Raises ConfigError for sizes below 1.
    """

    def __call__(self, height: int, width: int, chance: Chance, /) -> Mask: ...


def generator(chance: Chance) -> np.random.Generator:
    """`chance` itself, or a generator seeded with it.

    PCG64 is named, not left to numpy's default, because the default may change one day and the
    masks of a seed must not. Raises ConfigError for seeds below 0.
    """
    if isinstance(chance, np.random.Generator):
        return chance
    if chance < 0:
        raise ConfigError(
            f"expected a seed of 0 or more, got {chance}",
            code="config.range",
            name="seed",
            value=chance,
            least=0,
        )
    return np.random.Generator(np.random.PCG64(chance))


def canvas(height: int, width: int) -> Canvas:
    """An empty drawing ``HW``. Raises ConfigError for sizes below 1."""
    if height < 1 or width < 1:
        raise ConfigError(
            f"expected a mask of at least 1x1 pixels, got {width}x{height}",
            code="masks.size",
            width=width,
            height=height,
        )
    return np.zeros((height, width), np.uint8)


def finished(drawing: Canvas, rng: np.random.Generator) -> Mask:
    """The mask of a drawing, with one random pixel changed where it is all hole or has none.

    That happens on frames of a few pixels only, where a stroke covers everything.
    """
    mask = drawing.astype(np.bool_)
    if mask.size == 1:
        return np.ones_like(mask)
    if mask.all() or not mask.any():
        spot = rng.integers(mask.size)
        mask.flat[spot] = not mask.flat[spot]
    return mask


def hole_share(mask: Mask) -> float:
    """The share of hole pixels, in [0, 1]."""
    return float(mask.mean())
