"""Batches for one of several processes, starting at any position."""

from __future__ import annotations

import logging
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import wait
from types import FrameType
from typing import Any

import torch
from torch.utils.data import DataLoader, Sampler

from gatefill.errors import DataError
from gatefill.training.config import DataConfig
from gatefill.training.data.batch import Failure, Sample, Stored, collate
from gatefill.training.data.cut import Cutter
from gatefill.training.data.files import FileSamples, fixed_files
from gatefill.training.data.masks import MaskMaker
from gatefill.training.data.place import ONE_PROCESS, Place
from gatefill.training.data.shards import ShardSamples, fixed_samples
from gatefill.training.data.sketches import SketchExtractor, drawn_sketch
from gatefill.training.data.sources import EDGES, DataSource, edge_file

log = logging.getLogger(__name__)

# The first words of torch's error about a loading process that was killed.
LOST = "DataLoader worker"


class Loader:
    """An endless sequence of batches for one process; `close` ends the loading processes."""

    def __init__(self, loader: DataLoader[Any]) -> None:
        self._loader: DataLoader[Any] | None = loader
        self._batches: Any = None

    def next(self) -> Stored:
        """The next batch.

        Raises:
            DataError: If the data cannot be read, or a loading process was killed; torch raises
                another error for that at times, see `lost_loader_said`.
        """
        assert self._loader is not None
        if self._batches is None:
            self._batches = iter(self._loader)
        try:
            found: Stored | Failure = next(self._batches)
        except (EOFError, OSError) as problem:
            # A process that is killed while it hands over a batch breaks the connection before
            # torch notices that it has ended.
            workers = getattr(self._batches, "_workers", ())
            if workers and wait([each.sentinel for each in workers], timeout=5):
                raise _lost("while it handed over a batch") from problem
            raise
        if isinstance(found, Failure):
            raise DataError(found.reason, code="data.broken")
        return found

    def close(self) -> None:
        """End the loading processes, also after one of them has failed."""
        # Deleting the iterator is not enough: the traceback of an error may reference it, and then
        # the interpreter would wait at exit for processes that were not told to stop.
        end = getattr(self._batches, "_shutdown_workers", None)
        self._batches = self._loader = None
        if end is not None:
            try:
                end()
            except RuntimeError as problem:
                if not str(problem).startswith(LOST):
                    raise
                # One was killed, which is said only now; torch has ended the others even so.


@contextmanager
def lost_loader_said() -> Iterator[None]:
    """Report a loading process that was killed as a one-line error.

    Raises:
        DataError: If it happens in the block; torch raises it wherever the main thread is.
    """
    try:
        yield
    except RuntimeError as problem:
        found: BaseException | None = problem
        # Where it breaks into a save, closing the file raises another error on top.
        while found is not None and not str(found).startswith(LOST):
            found = found.__context__
        if found is None:
            raise
        raise _lost(str(found).rstrip(". ")) from None


def _lost(reason: str) -> DataError:
    return DataError(
        f"a process that loads data was killed ({reason}), perhaps because memory ran out: "
        "lower data.workers or data.cache_mb, and run the same command again to go on from "
        "the last checkpoint",
        code="data.loader",
    )


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

    position: number of samples that all processes together have consumed; continue there.
    """
    workers = config.workers
    options: dict[str, Any] = {
        "num_workers": workers,
        "collate_fn": collate,
        "pin_memory": torch.cuda.is_available(),
        "generator": torch.Generator(),  # else the loader draws from torch's own and changes it
    }
    if workers:
        options |= {"prefetch_factor": 4, "worker_init_fn": _prepare_worker}
    cutter = make_cutter(source, config, extractor)
    if source.shards:
        shards = ShardSamples(source.shards, cutter, batch, seed, place, position)
        return Loader(DataLoader(shards, batch_size=batch, **options))
    room = config.cache_mb * 2**20 // max(workers, 1)
    files = FileSamples(source.files, cutter, seed, room)
    return Loader(DataLoader(files, batch_sampler=_Positions(batch, place, position), **options))


def fixed(
    source: DataSource, config: DataConfig, extractor: SketchExtractor = drawn_sketch
) -> list[Sample]:
    """Centers of images with fixed masks, for validation; from shards at most ``data.holdout``.

    Raises:
        DataError: If none of the images can be read.
    """
    cutter = make_cutter(source, config, extractor)
    if source.shards:
        found = fixed_samples(source.shards, config.holdout, cutter)
    else:
        found = fixed_files(source.files, cutter)
    if not found and (source.files or source.shards):
        raise DataError(
            f"expected images to validate on in {source.name}, found none that can be read",
            code="data.validation",
        )
    return found


def make_cutter(
    source: DataSource, config: DataConfig, extractor: SketchExtractor = drawn_sketch
) -> Cutter:
    """Create the `Cutter` for a source.

    Raises:
        DataError: If files of masks or sketches are missing.
    """
    if config.reads_edges and source.files and not any(map(edge_file, source.files)):
        first = source.files[0]
        raise DataError(
            f"expected sketches beside the images, such as {first.stem}{EDGES[0]} or "
            f"{first.stem}{EDGES[1]} beside {first.name}, found none",
            code="data.sketches",
        )
    masks = MaskMaker(config, source.files)
    if masks.paired:
        log.info("each image has a mask of its own in %s", config.mask_folder)
    return Cutter(config, masks, extractor)


class _Positions(Sampler[list[int]]):
    """The sample positions of the batches of one process, interleaved with the others'."""

    def __init__(self, batch: int, place: Place, position: int) -> None:
        self.batch, self.place, self.position = batch, place, position

    def __iter__(self) -> Iterator[list[int]]:
        start = self.position + self.place.rank * self.batch
        while True:
            yield list(range(start, start + self.batch))
            start += self.place.processes * self.batch


def _prepare_worker(_: int) -> None:
    import cv2

    # Leave the cores to the training step.
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
    # A signal to all processes of a job is meant for the training process, which saves and then
    # ends its loaders. A second signal ends a loader that hangs.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _ignore_once)


def _ignore_once(number: int, _: FrameType | None) -> None:
    signal.signal(number, signal.SIG_DFL)
