"""Checkpoints of a run: the complete state for resuming, verified before use."""

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
        """Create the folder, and remove temporary files of a killed process."""
        self.folder.mkdir(parents=True, exist_ok=True)
        remove_parts(self.folder)

    def save(self, state: dict[str, Any], step: int, best_step: int | None) -> None:
        """Write a checkpoint atomically and delete older ones."""
        with whole(self._path(step)) as beside:
            save_tensors(state, beside)
        spared = {best_step, *self.steps()[-self.keep :]}
        for each in self.steps():
            if each not in spared:
                self._path(each).unlink()

    def steps(self) -> list[int]:
        """The steps that have a checkpoint, in ascending order."""
        names = (re.fullmatch(r"step-(\d+)\.pt", path.name) for path in self.folder.glob("*.pt"))
        return sorted(int(name[1]) for name in names if name)

    def load_last(self) -> dict[str, Any] | None:
        """Load the newest readable checkpoint; None if there are no checkpoints.

        Raises:
            DataError: If there are checkpoints, but none can be read.
        """
        steps = self.steps()
        for step in reversed(steps):
            try:
                return load_checkpoint(self._path(step))
            except DataError as problem:
                log.warning("%s: taking the one before", problem)
        if steps:
            # A new start would overwrite the results of the run.
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
    """Load a checkpoint.

    Raises:
        DataError: If it is damaged, even by one bit, or was written by another version.
    """
    try:
        # torch.load does not verify the checksums in its files.
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
        ValueError,  # names that are not valid text
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
    """Call `torch.save`; report a full disk as an OSError."""
    with path.open("wb") as file:
        try:
            torch.save(value, file)
        except RuntimeError as problem:
            cause = problem.__context__
            raise cause if isinstance(cause, OSError) else problem from None
