"""Samples streamed from tar files of WebDataset (https://github.com/webdataset/webdataset).

The files of a sample share a name: ``0001.jpg`` and perhaps ``0001_edge.png`` or ``0001.edge.png``,
or the same as JPEG.
"""

from __future__ import annotations

import logging
import tarfile
from collections.abc import Iterator, Sequence
from typing import Any

import fsspec
import numpy as np
from torch.utils.data import IterableDataset, get_worker_info

from gatefill.errors import DataError
from gatefill.training.config import DataConfig
from gatefill.training.data.batch import Failure, Sample
from gatefill.training.data.cut import CutPlanes, Cutter
from gatefill.training.data.files import MOST_BROKEN
from gatefill.training.data.place import Place
from gatefill.training.data.sources import EDGES, SUFFIXES, decode_edges, decode_image

log = logging.getLogger(__name__)

Raw = dict[str, Any]  # "name", "image" and perhaps "edges", as bytes


class ShardSamples(IterableDataset[Sample | Failure]):
    """An endless stream: each reader has its own shards, in a new order every epoch."""

    def __init__(
        self,
        shards: Sequence[str],
        cutter: Cutter,
        batch: int,
        seed: int,
        place: Place,
        position: int,
    ) -> None:
        self.shards, self.cutter, self.batch = shards, cutter, batch
        self.seed, self.place = seed, place
        self.batches_before = position // (batch * place.processes)

    def __iter__(self) -> Iterator[Sample | Failure]:
        worker = get_worker_info()
        count = 1 if worker is None else worker.num_workers
        # Workers alternate. After a restart the first one continues at the next position.
        turn = (self.batches_before + (0 if worker is None else worker.id)) % count
        done = len(range(turn, self.batches_before, count)) * self.batch
        reader = self.place.rank * count + turn
        try:
            yield from self._samples(reader, self.place.processes * count, done)
        except (DataError, OSError) as problem:
            yield Failure(str(problem))

    def _samples(self, reader: int, readers: int, done: int) -> Iterator[Sample]:
        """The samples of one of several readers, after skipping the first `done`."""
        last: Sample | None = None
        broken: list[str] = []
        for number, raw in enumerate(self._shuffled(reader, readers)):
            if number < done:
                continue
            rng = np.random.Generator(np.random.PCG64([self.seed, 1, reader, number]))
            try:
                sample = self.cutter.random(decode(raw, self.cutter.config), rng)
            except (ValueError, OSError) as problem:
                broken.append(f"{raw['name']}: {problem}")
                if len(broken) > MOST_BROKEN:
                    raise DataError(
                        f"{MOST_BROKEN} broken images one after the other, the last: {broken[-1]}",
                        code="data.broken",
                    ) from None
                if last is None:
                    continue
                # Repeat the last one, so that the number of samples does not depend on damage.
                sample = last
            yield sample._replace(broken=tuple(broken))
            last, broken = sample, []

    def _shuffled(self, reader: int, readers: int) -> Iterator[Raw]:
        """Shuffle raw samples with a buffer: for each new one, a random one is returned."""
        rng = np.random.Generator(np.random.PCG64([self.seed, 2, reader]))
        held: list[Raw] = []
        for raw in self._stream(reader, readers):
            if len(held) < self.cutter.config.shuffle:
                held.append(raw)
                continue
            place = int(rng.integers(len(held)))
            out, held[place] = held[place], raw
            yield out

    def _stream(self, reader: int, readers: int) -> Iterator[Raw]:
        """Endless epochs of the shards of a reader."""
        epoch = 0
        by_shard = len(self.shards) >= readers
        while True:
            order = np.random.Generator(np.random.PCG64([self.seed, 3, epoch]))
            shards = [self.shards[i] for i in order.permutation(len(self.shards))]
            mine = shards[reader::readers] if by_shard else shards
            good, problem = 0, ""
            for number, raw in enumerate(raw for shard in mine for raw in _whole(shard)):
                good += "problem" not in raw
                problem = raw.get("problem", problem)
                # With fewer shards than readers, all readers read all shards and alternate in them.
                if by_shard or number % readers == reader:
                    yield raw
            if good <= (0 if by_shard else reader):
                reason = f": {problem}" if problem else ""
                raise DataError(
                    f"expected images for each of {readers} readers in {len(shards)} shards such "
                    f"as {shards[0]}, found {good}{reason}",
                    code="data.empty",
                )
            epoch += 1


def raw_samples(shard: str) -> Iterator[Raw]:
    """The samples of a tar file or URL, not decoded. Raises DataError where it is none."""
    from webdataset.tariterators import group_by_keys, tar_file_iterator

    try:
        with fsspec.open(shard, "rb") as file:
            entries = (_renamed(entry, shard) for entry in tar_file_iterator(file))
            for group in group_by_keys(entries):
                image = next((k for k in group if f".{k}" in SUFFIXES), None)
                if image is None:
                    continue
                raw = {"name": f"{shard}:{group['__key__']}.{image}", "image": group[image]}
                edges = next(
                    (group[kind] for kind in ("edge.png", "edge.jpg") if kind in group), None
                )
                yield raw if edges is None else raw | {"edges": edges}
    except (tarfile.TarError, EOFError) as problem:
        reason = str(problem).partition(" @ ")[0]  # webdataset adds the file object
        raise DataError(
            f"{shard}: not a whole tar file ({reason})", code="data.shard", shard=shard
        ) from None


def _whole(shard: str) -> Iterator[Raw]:
    """The samples of a shard up to any damage, which is reported as a last, broken sample."""
    try:
        yield from raw_samples(shard)
    except (DataError, OSError) as problem:
        yield {"name": shard, "problem": str(problem).removeprefix(f"{shard}: ")}


def decode(raw: Raw, config: DataConfig) -> CutPlanes:
    """Decode the planes of a raw sample. Raises DataError for a broken one."""
    if "problem" in raw:
        raise DataError(raw["problem"], code="data.shard")
    edges = None
    if config.reads_edges:
        if "edges" not in raw:
            stem = raw["name"].rpartition(":")[2].rpartition(".")[0]
            raise DataError(f"has no sketch {stem}{EDGES[0]} beside it", code="data.sketches")
        edges = decode_edges(raw["edges"], "its sketch")
    return CutPlanes(decode_image(raw["image"]), edges)


def fixed_samples(shards: Sequence[str], count: int, cutter: Cutter) -> list[Sample]:
    """The centers of the first `count` images that can be read, for validation."""
    found: list[Sample] = []
    for raw in (raw for shard in shards for raw in _whole(shard)):
        rng = np.random.Generator(np.random.PCG64([len(found), 3]))
        try:
            found.append(cutter.middle(decode(raw, cutter.config), rng))
        except (ValueError, OSError) as problem:
            log.warning("validation without %s (%s)", raw["name"], problem)
        if len(found) == count:
            break
    return found


def _renamed(entry: dict[str, Any], shard: str) -> dict[str, Any]:
    """Rename ``a_edge.png`` to ``a.edge.png``, so that it belongs to the sample of ``a.jpg``."""
    name = str(entry["fname"])
    for edge in EDGES:
        if name.endswith(edge):
            name = f"{name.removesuffix(edge)}.{edge.removeprefix('_').replace('_', '.')}"
    return entry | {"fname": name, "__url__": shard}
