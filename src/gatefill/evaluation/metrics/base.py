"""The definition of a metric: a value for one filled photo, with unit, range and direction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gatefill.errors import GatefillError, MaskError

Pixels = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Better = Literal["lower", "higher", "neither"]


@dataclass(frozen=True, eq=False)
class Pair:
    """A filled photo and the truth; known pixels are the same in both."""

    truth: Pixels  # HW3
    output: Pixels  # HW3
    mask: Mask  # HW, True = hole, at least one

    def __post_init__(self) -> None:
        for name, picture in (("truth", self.truth), ("output", self.output)):
            if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8:
                raise GatefillError(
                    f"expected a uint8 {name} HW3, got {picture.dtype} {picture.shape}",
                    code="metric.picture",
                )
        if not self.truth.shape == self.output.shape == (*self.mask.shape, 3):
            raise GatefillError(
                "expected truth, output and mask of one size, "
                f"got {self.truth.shape}, {self.output.shape} and {self.mask.shape}",
                code="metric.sizes",
            )
        if self.mask.dtype != np.bool_ or not self.mask.any():
            raise MaskError("expected a bool mask with a hole", code="metric.mask")


@dataclass(frozen=True)
class Metric:
    """One column of the tables; docs/metrics.md has the exact definitions."""

    name: str
    title: str
    unit: str  # "%", "dB" or "" for a plain number
    low: float  # the range; `high` is None where there is no bound
    high: float | None
    better: Better
    definition: str  # one sentence
    measure: Callable[[Pair], float | None]  # None: undefined for photos this small

    def shown(self, value: float) -> str:
        """Format a value for tables."""
        return f"{value:.{2 if self.unit else 4}f}"
