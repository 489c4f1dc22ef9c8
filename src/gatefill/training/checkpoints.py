"""A run's checkpoints: files that hold everything needed to go on, checked before they are used."""

from __future__ import annotations

import logging
import pickle
import re
import zipfile
from pathlib import Path
from typing import Any

import torch

from gatefill.errors import DataError
from gatefill.training.files import remove_parts, whole

log = logging.getLogger(__name__)

FORMAT = 1


class Checkpoints:
    """The folder of a run's checkpoints: the last few, and the best."""

    def __init__(self, folder: Path, keep: int) -> None:
        self.folder, self.keep = folder, keep

    def prepare(self) -> None:
        """Make the folder, and remove what a killed process left behind."""
        self.folder.mkdir(parents=True, exist_ok=True)
        remove_parts(self.folder)

    def save(self, state: dict[str, Any], step: int, best_step: int | None) -> None:
        """Write a checkpoint; it is there whole or not at all. Older ones are removed."""
        with whole(self._path(step)) as beside:
            save_tensors(state, beside)
        spared = {best_step, *self.steps()[-self.keep :]}
        for each in self.steps():
            if each not in spared:
                self._path(each).unlink()

    def steps(self) -> list[int]:
        """The steps of which there are checkpoints, rising."""
        names = (re.fullmatch(r"step-(\d+)\.pt", path.name) for path in self.folder.glob("*.pt"))
        return sorted(int(name[1]) for name in names if name)

    def load_last(self) -> dict[str, Any] | None:
        """What the newest readable checkpoint holds; None where there are no checkpoints.

        Raises:
            DataError: There are some, and none can be read.
        """
        steps = self.steps()
        for step in reversed(steps):
            try:
                return load_checkpoint(self._path(step))
            except DataError as problem:
                log.warning("%s: taking the one before", problem)
        if steps:
            # Starting anew would overwrite what the run has made so far.
            raise DataError(
                f"expected a checkpoint that can be read in {self.folder}, got {len(steps)} "
                "damaged ones: move the run's folder away to start anew, for instance from its "
                "best.safetensors",
                code="checkpoint.damaged",
                checkpoints=len(steps),
            )
        return None

    def _path(self, step: int) -> Path:
        return self.folder / f"step-{step:09d}.pt"


def load_checkpoint(path: Path) -> dict[str, Any]:
    """What a checkpoint holds.

    Raises:
        DataError: It is damaged, be it by a bit, or of another version.
    """
    try:
        # torch.load does not look at the checksums that its files have.
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
        if damaged is not None:
            raise zipfile.BadZipFile(f"the checksum of {damaged} is wrong")
        saved = torch.load(path, map_location="cpu", weights_only=True)
    except (
        RuntimeError,
        EOFError,
        OSError,
        LookupError,
        ValueError,  # names that are no text
        NotImplementedError,
        pickle.UnpicklingError,
        zipfile.BadZipFile,
    ) as problem:
        raise _damaged(path, " ".join(str(problem).split())[:100]) from None
    if not isinstance(saved, dict) or saved.get("format") != FORMAT:
        raise DataError(
            f"{path}: expected a checkpoint of this version of gatefill", code="checkpoint.format"
        )
    return saved


def _damaged(path: Path, reason: str) -> DataError:
    return DataError(f"{path} cannot be read ({reason})", code="checkpoint.damaged", path=str(path))


def save_tensors(value: dict[str, Any], path: Path) -> None:
    """`torch.save`, of which a full disk is an OSError as everywhere else."""
    with path.open("wb") as file:
        try:
            torch.save(value, file)
        except RuntimeError as problem:
            cause = problem.__context__
            raise cause if isinstance(cause, OSError) else problem from None
