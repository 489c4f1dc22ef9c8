"""Samples streamed from tar files, WebDataset's way (https://github.com/webdataset/webdataset).

The files of a sample share a name: ``0001.jpg`` and perhaps ``0001_edge.png`` or ``0001.edge.png``.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator, Sequence
from typing import Any

import fsspec
import numpy as np
from torch.utils.data import IterableDataset, get_worker_info

from gatefill.training.config import DataConfig
from gatefill.training.data.batch import Sample
from gatefill.training.data.cut import centre_sample, cut_sample
from gatefill.training.data.place import Place
from gatefill.training.data.sketches import SketchExtractor, drawn_sketch
from gatefill.training.data.sources import EDGE, SUFFIXES, decode_edges, decode_image

Raw = dict[str, Any]  # "name", "image" and perhaps "edges", as bytes


class ShardSamples(IterableDataset[Sample]):
    """An endless stream: each reader has its shards, in a new order every epoch."""

    def __init__(
        self,
        shards: Sequence[str],
        config: DataConfig,
        batch: int,
        seed: int,
        place: Place,
        position: int,
        extractor: SketchExtractor = drawn_sketch,
    ) -> None:
        self.shards, self.config, self.batch = shards, config, batch
        self.seed, self.place, self.extractor = seed, place, extractor
        self.batches_before = position // (batch * place.processes)

    def __iter__(self) -> Iterator[Sample]:
        worker = get_worker_info()
        count = 1 if worker is None else worker.num_workers
        # Workers take turns. After a restart the first one goes on where the next in turn was.
        turn = (self.batches_before + (0 if worker is None else worker.id)) % count
        done = len(range(turn, self.batches_before, count)) * self.batch
        reader = self.place.rank * count + turn
        return self._samples(reader, self.place.processes * count, done)

    def _samples(self, reader: int, readers: int, done: int) -> Iterator[Sample]:
        """The samples of one of several readers, without the first `done`."""
        last: Sample | None = None
        broken: list[str] = []
        for number, raw in enumerate(self._shuffled(reader, readers)):
            if number < done:
                continue
            rng = np.random.Generator(np.random.PCG64([self.seed, 1, reader, number]))
            try:
                image, edges = decode(raw, self.config.sketches == "files")
                sample = cut_sample(image, edges, self.config, rng, self.extractor)
            except (ValueError, OSError) as problem:
                broken.append(f"{raw['name']}: {problem}")
                if len(broken) > 100:
                    raise ValueError(
                        f"a hundred broken images one after the other, the last: {problem}"
                    ) from None
                if last is None:
                    continue
                # The last one again, so that the count of samples does not depend on damage.
                sample = last
            yield sample._replace(broken=tuple(broken))
            last, broken = sample, []

    def _shuffled(self, reader: int, readers: int) -> Iterator[Raw]:
        """Raw samples through a buffer from which a random one leaves for each that comes."""
        rng = np.random.Generator(np.random.PCG64([self.seed, 2, reader]))
        held: list[Raw] = []
        for raw in self._stream(reader, readers):
            if len(held) < self.config.shuffle:
                held.append(raw)
                continue
            place = int(rng.integers(len(held)))
            out, held[place] = held[place], raw
            yield out

    def _stream(self, reader: int, readers: int) -> Iterator[Raw]:
        """Epoch after epoch of the reader's share."""
        epoch = 0
        by_shard = len(self.shards) >= readers
        while True:
            order = np.random.Generator(np.random.PCG64([self.seed, 3, epoch]))
            shards = [self.shards[i] for i in order.permutation(len(self.shards))]
            mine = shards[reader::readers] if by_shard else shards
            number = -1
            for number, raw in enumerate(raw for shard in mine for raw in raw_samples(shard)):
                # With fewer shards than readers, all read all shards and take turns in them.
                if by_shard or number % readers == reader:
                    yield raw
            if number < (0 if by_shard else reader):
                raise ValueError(
                    f"expected images for each of {readers} readers in {len(shards)} shards such "
                    f"as {shards[0]}, found {number + 1}"
                )
            epoch += 1


def raw_samples(shard: str) -> Iterator[Raw]:
    """The samples of a tar file or URL, not decoded. Raises ValueError where it is none."""
    from webdataset.tariterators import group_by_keys, tar_file_iterator

    try:
        with fsspec.open(shard, "rb") as file:
            entries = (_renamed(entry, shard) for entry in tar_file_iterator(file))
            for group in group_by_keys(entries):
                image = next((k for k in group if f".{k}" in SUFFIXES), None)
                if image is None:
                    continue
                raw = {"name": f"{shard}:{group['__key__']}.{image}", "image": group[image]}
                yield raw | ({"edges": group["edge.png"]} if "edge.png" in group else {})
    except tarfile.TarError as problem:
        raise ValueError(f"{shard}: not a whole tar file ({problem})") from None


def decode(raw: Raw, with_edges: bool) -> tuple[Any, Any]:
    """The image and, if wanted, the edges of a raw sample."""
    edges = decode_edges(raw.get("edges", b""), raw["name"]) if with_edges else None
    return decode_image(raw["image"]), edges


def fixed_samples(
    shards: Sequence[str], count: int, config: DataConfig, extractor: SketchExtractor = drawn_sketch
) -> list[Sample]:
    """The middles of the first `count` images that can be read, for validation."""
    found: list[Sample] = []
    for shard in shards:
        for raw in raw_samples(shard):
            rng = np.random.Generator(np.random.PCG64([len(found), 3]))
            try:
                image, edges = decode(raw, config.sketches == "files")
            except (ValueError, OSError):
                continue
            found.append(centre_sample(image, edges, config, rng, extractor))
            if len(found) == count:
                return found
    return found


def _renamed(entry: dict[str, Any], shard: str) -> dict[str, Any]:
    """``a_edge.png`` as ``a.edge.png``, so that it belongs to ``a.jpg``."""
    name = str(entry["fname"])
    if name.endswith(EDGE):
        name = f"{name.removesuffix(EDGE)}.edge.png"
    return entry | {"fname": name, "__url__": shard}
