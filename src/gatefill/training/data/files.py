"""Samples of image files by their position in an endless, shuffled sequence.

Sample k of a run (file, crop, mask) is a pure function of the seed and k. So a run can be resumed
at any position, and any number of processes can share the sequence without communication.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Dataset

from gatefill.training.data.batch import Failure, Sample
from gatefill.training.data.cut import CutPlanes, Cutter
from gatefill.training.data.sources import read_file

log = logging.getLogger(__name__)

MOST_BROKEN = 100  # unreadable images in a row before loading fails


class FileSamples(Dataset[Sample | Failure]):
    """Sample k for any k from 0 on; each epoch has its own order."""

    def __init__(
        self, files: Sequence[Path], cutter: Cutter, seed: int, cache_bytes: int = 0
    ) -> None:
        self.files, self.cutter, self.seed = files, cutter, seed
        self.images = _Cache(files, cutter, cache_bytes)
        self._order: tuple[int, NDArray[np.int64]] | None = None

    def __getitem__(self, position: int) -> Sample | Failure:
        rng = np.random.Generator(np.random.PCG64([self.seed, 1, position]))
        index = self._index(position)
        broken: list[str] = []
        # A broken image is replaced by a random one, drawn from the generator of this position.
        while len(broken) <= MOST_BROKEN:
            try:
                planes = self.images.read(index)
                sample = self.cutter.random(planes, rng)
                return sample._replace(broken=tuple(broken))
            except (ValueError, OSError) as problem:
                file = str(self.files[index])
                broken.append(f"{file}: {str(problem).removeprefix(file).lstrip(': ')}")
                index = int(rng.integers(len(self.files)))
        return Failure(f"{MOST_BROKEN} broken images one after the other, the last: {broken[-1]}")

    def _index(self, position: int) -> int:
        """The index of the file at a position."""
        epoch, place = divmod(position, len(self.files))
        if self._order is None or self._order[0] != epoch:
            rng = np.random.Generator(np.random.PCG64([self.seed, 2, epoch]))
            self._order = epoch, rng.permutation(len(self.files))
        return int(self._order[1][place])


def fixed_files(files: Sequence[Path], cutter: Cutter) -> list[Sample]:
    """The center of each file with a fixed mask, for validation.

    Files that cannot be read are left out.
    """
    found = []
    for number, file in enumerate(files):
        rng = np.random.Generator(np.random.PCG64([number, 3]))
        try:
            found.append(cutter.middle(_read(file, cutter), rng))
        except (ValueError, OSError) as problem:
            log.warning("validation without %s (%s)", file, problem)
    return found


class _Cache:
    """A cache of decoded images, since decoding takes most of the loading time."""

    def __init__(self, files: Sequence[Path], cutter: Cutter, room: int) -> None:
        self.files, self.cutter, self.room = files, cutter, room
        self.kept: dict[int, CutPlanes] = {}

    def read(self, index: int) -> CutPlanes:
        if index in self.kept:
            return self.kept[index]
        planes = _read(self.files[index], self.cutter)
        size = sum(plane.nbytes for plane in planes if plane is not None)
        if size <= self.room:
            self.room -= size
            self.kept[index] = planes
        return planes


def _read(file: Path, cutter: Cutter) -> CutPlanes:
    image, edges = read_file(file, cutter.config.reads_edges)
    return CutPlanes(image, edges, cutter.masks.for_image(file, image.shape[:2]))
