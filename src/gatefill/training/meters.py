"""Counters of a run, and the status passed to `watch`."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import torch
from lightning_fabric import Fabric


@dataclass(frozen=True)
class Status:
    """The status passed to `watch` after every step."""

    images: int
    share: float  # completed fraction of the budget
    seconds_left: float
    images_per_second: float
    terms: dict[str, float] | None  # means since the last line of the log, if one is due


@dataclass(frozen=True)
class RunOutcome:
    """The outcome of a run."""

    folder: Path
    images: int
    finished: bool  # the budget is used up
    signal: int | None  # that ended the session early
    best: float | None
    skipped: int
    broken: int
    seconds: float  # over all sessions
    leads: bool  # whether this is the first process, which prints messages


class Clock:
    """Seconds of a run, over all sessions; validation and checkpoints count."""

    def __init__(self, before: float) -> None:
        self._before, self._started = before, time.monotonic()

    @property
    def seconds(self) -> float:
        return self._before + time.monotonic() - self._started


class Sums:
    """Sums since the last line of the log."""

    def __init__(self) -> None:
        self.sums: dict[str, float] = {}
        self.counts: dict[str, int] = {}
        self.images = 0
        self.seconds = 0.0
        self.waited = 0.0

    def add(self, terms: dict[str, torch.Tensor], images: int, seconds: float) -> None:
        """Add the values of a step."""
        for name, value in terms.items():
            # Steps with NaN are counted elsewhere; here they would make all means NaN.
            finite = bool(torch.isfinite(value))
            self.sums[name] = self.sums.get(name, 0.0) + (float(value) if finite else 0.0)
            self.counts[name] = self.counts.get(name, 0) + finite
        self.images += images
        self.seconds += seconds

    @property
    def images_per_second(self) -> float:
        return self.images / max(self.seconds, 1e-9)

    def means(self, fabric: Fabric) -> dict[str, float]:
        """Means over the steps, and over all processes."""
        values = {name: total / max(self.counts[name], 1) for name, total in self.sums.items()}
        if fabric.world_size > 1 and values:
            mean = fabric.all_reduce(torch.tensor(list(values.values()), device=fabric.device))
            assert isinstance(mean, torch.Tensor)
            values = dict(zip(values, mean.tolist(), strict=True))
        values["images_per_second"] = self.images_per_second
        values["waiting_for_data"] = self.waited / max(self.seconds, 1e-9)  # share of the time
        return values
