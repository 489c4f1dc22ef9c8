"""What all mask generators share: their type, the random generator, and constraints on masks."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from gatefill.errors import ConfigError

Mask = NDArray[np.bool_]
Canvas = NDArray[np.uint8]
Chance = np.random.Generator | int
"""A numpy generator, or a random seed. The same seed gives the same masks on every machine."""


class MaskGenerator(Protocol):
    """A function that makes one mask, bool ``HW``, True = hole, of any size from 1x1.

    A mask of two pixels or more has at least one hole pixel and one known pixel; the pixel of a 1x1
    mask is hole. Raises ConfigError for sizes below 1.
    """

    def __call__(self, height: int, width: int, chance: Chance, /) -> Mask: ...


def generator(chance: Chance) -> np.random.Generator:
    """Return a numpy generator: `chance` itself, or one seeded with it.

    PCG64 is named explicitly, because numpy's default may change and the masks of a seed must not.
    Raises ConfigError for seeds below 0.
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
    """Return an empty drawing ``HW``. Raises ConfigError for sizes below 1."""
    if height < 1 or width < 1:
        raise ConfigError(
            f"expected a mask of at least 1x1 pixels, got {width}x{height}",
            code="masks.size",
            width=width,
            height=height,
        )
    return np.zeros((height, width), np.uint8)


def finished(drawing: Canvas, rng: np.random.Generator) -> Mask:
    """Convert a drawing to a mask; if all or none of it is hole, change one random pixel.

    That happens only in frames of a few pixels, where a stroke covers everything.
    """
    mask = drawing.astype(np.bool_)
    if mask.size == 1:
        return np.ones_like(mask)
    if mask.all() or not mask.any():
        spot = rng.integers(mask.size)
        mask.flat[spot] = not mask.flat[spot]
    return mask


def hole_share(mask: Mask) -> float:
    """Return the share of hole pixels, in [0, 1]."""
    return float(mask.mean())
