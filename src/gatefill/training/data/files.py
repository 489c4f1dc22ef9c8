"""Samples of image files by their position in an endless, shuffled sequence.

Sample k of a run is a pure function of the seed and k: which file, which crop, which mask. So a run
goes on anywhere, and any number of processes share the sequence without talking to each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Dataset

from gatefill.training.config import DataConfig
from gatefill.training.data.batch import Pixels, Sample
from gatefill.training.data.cut import centre_sample, cut_sample
from gatefill.training.data.sketches import SketchExtractor, drawn_sketch
from gatefill.training.data.sources import read_file

Decoded = tuple[Pixels, NDArray[np.uint8] | None]


class FileSamples(Dataset[Sample]):
    """Sample k for any k from 0 on; each epoch has its own order."""

    def __init__(
        self,
        files: Sequence[Path],
        config: DataConfig,
        seed: int,
        extractor: SketchExtractor = drawn_sketch,
        cache_bytes: int = 0,
    ) -> None:
        self.files = files
        self.config = config
        self.seed = seed
        self.extractor = extractor
        self.images = _Cache(files, config.sketches == "files", cache_bytes)
        self._order: tuple[int, NDArray[np.int64]] | None = None

    def __getitem__(self, position: int) -> Sample:
        rng = np.random.Generator(np.random.PCG64([self.seed, 1, position]))
        index = self._index(position)
        broken = []
        # In place of a broken image comes another, chosen by the position's own chance.
        while True:
            try:
                image, edges = self.images.read(index)
                break
            except (ValueError, OSError) as problem:
                broken.append(f"{self.files[index]}: {problem}")
                if len(broken) > 100:
                    raise ValueError(
                        f"a hundred broken images one after the other, the last: {problem}"
                    ) from None
                index = int(rng.integers(len(self.files)))
        sample = cut_sample(image, edges, self.config, rng, self.extractor)
        return sample._replace(broken=tuple(broken))

    def _index(self, position: int) -> int:
        """Which file stands at a position."""
        epoch, place = divmod(position, len(self.files))
        if self._order is None or self._order[0] != epoch:
            rng = np.random.Generator(np.random.PCG64([self.seed, 2, epoch]))
            self._order = epoch, rng.permutation(len(self.files))
        return int(self._order[1][place])


class FixedSamples:
    """The middle of each file with a mask of its own, always the same: for validation."""

    def __init__(
        self,
        files: Sequence[Path],
        config: DataConfig,
        extractor: SketchExtractor = drawn_sketch,
    ) -> None:
        self.files, self.config, self.extractor = files, config, extractor

    def samples(self) -> list[Sample]:
        """All of them that can be read."""
        found = []
        for number, file in enumerate(self.files):
            rng = np.random.Generator(np.random.PCG64([number, 3]))
            try:
                image, edges = read_file(file, self.config.sketches == "files")
            except (ValueError, OSError):
                continue
            found.append(centre_sample(image, edges, self.config, rng, self.extractor))
        return found


class _Cache:
    """Decoded images, kept as long as there is room: decoding costs more than everything else."""

    def __init__(self, files: Sequence[Path], with_edges: bool, room: int) -> None:
        self.files, self.with_edges, self.room = files, with_edges, room
        self.kept: dict[int, Decoded] = {}

    def read(self, index: int) -> Decoded:
        if index in self.kept:
            return self.kept[index]
        image, edges = read_file(self.files[index], self.with_edges)
        size = image.nbytes + (0 if edges is None else edges.nbytes)
        if size <= self.room:
            self.room -= size
            self.kept[index] = image, edges
        return image, edges
