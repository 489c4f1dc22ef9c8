"""Batches for one of several processes, from any position on."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from types import FrameType
from typing import Any

import torch
from torch.utils.data import DataLoader, Sampler

from gatefill.training.config import DataConfig
from gatefill.training.data.batch import Stored, stack
from gatefill.training.data.files import FileSamples
from gatefill.training.data.place import ONE_PROCESS, Place
from gatefill.training.data.shards import ShardSamples
from gatefill.training.data.sketches import SketchExtractor, drawn_sketch
from gatefill.training.data.sources import DataSource


class Loader:
    """Endless batches of one process; `close` ends the processes that load."""

    def __init__(self, loader: DataLoader[Any]) -> None:
        self._loader: DataLoader[Any] | None = loader
        self._batches: Iterator[Stored] | None = None

    def next(self) -> Stored:
        assert self._loader is not None
        if self._batches is None:
            self._batches = iter(self._loader)
        return next(self._batches)

    def close(self) -> None:
        self._batches = self._loader = None


def make_loader(
    source: DataSource,
    config: DataConfig,
    batch: int,
    *,
    seed: int = 0,
    place: Place = ONE_PROCESS,
    position: int = 0,
    extractor: SketchExtractor = drawn_sketch,
) -> Loader:
    """Batches of `batch` samples for the process at `place`.

    position: how many samples all processes together have had; the sequence goes on there.
    """
    workers = config.workers
    options: dict[str, Any] = {
        "num_workers": workers,
        "collate_fn": stack,
        "pin_memory": torch.cuda.is_available(),
        "generator": torch.Generator(),  # else the loader draws from torch's own and changes it
    }
    if workers:
        options |= {"prefetch_factor": 4, "worker_init_fn": _prepare_worker}
    if source.shards:
        shards = ShardSamples(source.shards, config, batch, seed, place, position, extractor)
        return Loader(DataLoader(shards, batch_size=batch, **options))
    room = config.cache_mb * 2**20 // max(workers, 1)
    files = FileSamples(source.files, config, seed, extractor, room)
    return Loader(DataLoader(files, batch_sampler=_Positions(batch, place, position), **options))


class _Positions(Sampler[list[int]]):
    """The positions of a process's batches: those of all processes lie side by side."""

    def __init__(self, batch: int, place: Place, position: int) -> None:
        self.batch, self.place, self.position = batch, place, position

    def __iter__(self) -> Iterator[list[int]]:
        start = self.position + self.place.rank * self.batch
        while True:
            yield list(range(start, start + self.batch))
            start += self.place.processes * self.batch


def _prepare_worker(_: int) -> None:
    import cv2

    # The cores belong to the training step.
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
    # Whoever signals all processes of a job means the one that trains, which saves and then ends
    # its loaders. A loader that hangs is told once more and obeys.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _ignore_once)


def _ignore_once(number: int, _: FrameType | None) -> None:
    signal.signal(number, signal.SIG_DFL)
