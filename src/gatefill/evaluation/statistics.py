"""Means with bootstrap confidence intervals.

The bootstrap resamples photos, not cases: the holes of one photo are similar, and treating them as
independent would make every interval too narrow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gatefill.errors import GatefillError

DRAWS = 2000
LEVEL = 0.95
_CHUNK = 200  # draws at a time, to limit memory with many photos


@dataclass(frozen=True)
class Estimate:
    """A mean over cases and its 95 % interval; no interval with fewer than two photos."""

    mean: float
    low: float | None
    high: float | None
    cases: int
    photos: int


def estimates(
    values: NDArray[np.float64], photos: Sequence[str], seed: int = 0
) -> list[Estimate | None]:
    """Estimate the mean of each column, with a 95 % interval.

    The intervals are those of the percentile bootstrap: photos are drawn with replacement `DRAWS`
    times, each with all its cases.

    Args:
        values: Cases x columns; NaN is ignored.
        photos: The photo of each case.
        seed: Random seed of the bootstrap.

    Returns:
        An estimate per column; None for a column without values.

    Raises:
        GatefillError: If there are not as many photos as cases.
    """
    if values.ndim != 2 or values.shape[0] != len(photos) or not len(photos):
        raise GatefillError(
            f"expected values as cases x columns, a photo for each case, "
            f"got {values.shape} and {len(photos)} photos",
            code="compare.statistics",
        )
    # sums and counts of each photo, photos x columns
    names, group = np.unique(np.asarray(photos), return_inverse=True)
    there = ~np.isnan(values)
    sums, counts = (np.zeros((names.size, values.shape[1])) for _ in range(2))
    np.add.at(sums, group, np.where(there, values, 0.0))
    np.add.at(counts, group, there)

    means = _bootstrap_means(sums, counts, seed) if names.size > 1 else None
    found: list[Estimate | None] = []
    for column in range(values.shape[1]):
        cases, used = int(counts[:, column].sum()), int((counts[:, column] > 0).sum())
        if not cases:
            found.append(None)
            continue
        low = high = None
        if means is not None and used > 1:
            tail = (1 - LEVEL) / 2
            drawn = means[:, column]
            edges = np.quantile(drawn[~np.isnan(drawn)], [tail, 1 - tail])
            low, high = float(edges[0]), float(edges[1])
        found.append(Estimate(float(sums[:, column].sum() / cases), low, high, cases, used))
    return found


def _bootstrap_means(
    sums: NDArray[np.float64], counts: NDArray[np.float64], seed: int
) -> NDArray[np.float64]:
    """Return means as draws x columns; NaN where a draw has no value of a column."""
    rng = np.random.Generator(np.random.PCG64(seed))
    size = sums.shape[0]
    means = []
    for _ in range(0, DRAWS, _CHUNK):
        drawn = rng.multinomial(size, np.full(size, 1 / size), _CHUNK).astype(np.float64)
        total, number = drawn @ sums, drawn @ counts
        means.append(np.divide(total, number, out=np.full_like(total, np.nan), where=number > 0))
    return np.concatenate(means)
