"""The interface between the adapter `NetworkMethod` and the libraries that run networks."""

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

MARGIN = 3  # pixels around a hole that are computed, too, for post-processing
CELL = 8  # side of an attention cell, pixels
PLACES = 4  # attended cells reported per cell


@dataclass(frozen=True)
class Places:
    """The cells (row, column) that cells of `CELL` x `CELL` pixels attend to, strongest first."""

    cells: NDArray[np.int64]  # N2
    sources: NDArray[np.int64]  # NK2
    weights: NDArray[np.float32]  # NK, in [0, 1]


@dataclass(frozen=True)
class Found:
    """Output of a network: whole frames ``HW3`` RGB in [0, 1].

    They are the network's in the holes and a few pixels around them, and equal to the photo
    elsewhere.
    """

    image: Image
    coarse: Image | None = None
    places: Places | None = None


class Runtime(Protocol):
    """A network that is ready to run; many threads may use it at once."""

    @property
    def multiple(self) -> int:
        """The number that the sides of a frame must be multiples of."""
        ...

    @property
    def takes_sketch(self) -> bool:
        """Whether the network has a sketch input."""
        ...

    @property
    def device(self) -> object:
        """The device; as text for example ``"cuda:0"``."""
        ...

    @property
    def dtype(self) -> object:
        """The number format; its text ends in the name, such as ``"float32"``."""
        ...

    def to(self, device: str | None = None, dtype: str | None = None) -> None:
        """Move the network. Raises ConfigError if that is not possible."""
        ...

    def memory(self, pixels: int) -> int:
        """Return the bytes that a run takes at most for a frame of that many pixels."""
        ...

    def run(
        self, image: Image, mask: Mask, sketch: Mask | None, progress: Progress | None
    ) -> Found:
        """Fill the holes of one frame.

        Args:
            image: ``HW3`` RGB in [0, 1]; sides are multiples of `multiple`.
            mask: ``HW``, True = hole; at least one pixel is hole.
            sketch: ``HW``, True = edge; None for no sketch.
            progress: Called with the completed fraction; an exception that it raises cancels the
                run.

        Returns:
            The output of the network.
        """
        ...


def near_holes(mask: Mask) -> tuple[Box, ...]:
    """Return the boxes in which results are valid: the holes and a few pixels around them."""
    near = [box.grown(MARGIN, *mask.shape) for box in component_boxes(mask)]
    return tuple(merge_overlapping(near))


def hole_cells(mask: Mask) -> NDArray[np.int64]:
    """Return the cells ``N2`` (row, column) with hole pixels; `CELL` divides the mask's sides."""
    rows, columns = mask.shape[0] // CELL, mask.shape[1] // CELL
    held = mask.reshape(rows, CELL, columns, CELL).any(axis=(1, 3))
    return np.argwhere(held)
