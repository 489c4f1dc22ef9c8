"""What the adapter `NetworkMethod` asks of whatever runs its network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from gatefill.geometry import Box, component_boxes, merge_overlapping

Image = NDArray[np.float32]
Mask = NDArray[np.bool_]
Progress = Callable[[float], None]

MARGIN = 3  # pixels around a hole that are right, too: what comes after the network looks there
CELL = 8  # pixels of a side of an attention cell
PLACES = 4  # places reported per cell


@dataclass(frozen=True)
class Places:
    """Where cells of `CELL` x `CELL` pixels looked, strongest first; (row, column) of cells."""

    cells: NDArray[np.int64]  # N2
    sources: NDArray[np.int64]  # NK2
    weights: NDArray[np.float32]  # NK, in [0, 1]


@dataclass(frozen=True)
class Found:
    """What a network found: whole frames ``HW3`` RGB in [0, 1], right in the holes.

    Around the holes they are the network's as far as a few pixels, then the photo's.
    """

    image: Image
    coarse: Image | None = None
    places: Places | None = None


class Runtime(Protocol):
    """A network that is ready to run; many threads may use it at once."""

    @property
    def multiple(self) -> int:
        """What the sides of a frame must be multiples of."""
        ...

    @property
    def takes_sketch(self) -> bool:
        """Whether the network has an input for a sketch."""
        ...

    @property
    def device(self) -> object:
        """Where it runs; its text is such as ``"cuda:0"``."""
        ...

    @property
    def dtype(self) -> object:
        """The number format; its text ends in such as ``"float32"``."""
        ...

    def to(self, device: str | None = None, dtype: str | None = None) -> None:
        """Move the network. Raises ConfigError for what cannot be had."""
        ...

    def memory(self, pixels: int) -> int:
        """Bytes that a run takes at most for a frame of so many pixels."""
        ...

    def run(
        self, image: Image, mask: Mask, sketch: Mask | None, progress: Progress | None
    ) -> Found:
        """Fill the holes of one frame.

        Args:
            image: ``HW3`` RGB in [0, 1], sides fit for the network.
            mask: ``HW``, True = hole, of which there is at least one pixel.
            sketch: ``HW``, True = edge; None where the network takes none or none is wanted.
            progress: Called with the share of the work done; what it raises stops the work.
        """
        ...


def near_holes(mask: Mask) -> tuple[Box, ...]:
    """The boxes in which results are right: the holes and a few pixels around them."""
    near = [box.grown(MARGIN, *mask.shape) for box in component_boxes(mask)]
    return tuple(merge_overlapping(near))


def hole_cells(mask: Mask) -> NDArray[np.int64]:
    """The cells ``N2`` (row, column) that hold hole pixels; sides are multiples of `CELL`."""
    rows, columns = mask.shape[0] // CELL, mask.shape[1] // CELL
    held = mask.reshape(rows, CELL, columns, CELL).any(axis=(1, 3))
    return np.argwhere(held)
