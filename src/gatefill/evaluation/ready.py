"""Fills of another program: pictures in a folder, one per case."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import numpy as np

from gatefill.errors import GatefillError
from gatefill.evaluation.cases import Case
from gatefill.evaluation.contestants import Contestant
from gatefill.evaluation.photos import SUFFIXES, read_truth
from gatefill.evaluation.worker import FilledCase, FillFailed


class ReadyFills:
    """A contestant whose fills are read from files.

    The picture of a case has the name of its key (``KEY.png``; keys are the file names in the
    report's folder ``masks``), of photo and kind of mask (``photo-box.png``, ``photo_box.png``) or,
    if each photo has only one hole, of the photo.
    """

    idle_bytes = None

    def __init__(self, contestant: Contestant, kinds: int) -> None:
        assert contestant.pictures is not None
        self.contestant = contestant
        self._one_kind = kinds == 1
        self._files: dict[str, Path] = {
            path.stem: path
            for path in sorted(contestant.pictures.iterdir())
            if path.suffix.lower() in SUFFIXES
        }

    def open(self) -> None:
        """Do nothing: no process is needed."""

    def close(self) -> None:
        """Do nothing: no process was started."""

    def fill_case(self, case: Case) -> FilledCase:
        """Return the picture of a case. Raises FillFailed if it is missing or has another size."""
        stem = PurePosixPath(case.entry.name).stem
        names = [case.key, f"{stem}-{case.kind}", f"{stem}_{case.kind}"]
        names += [stem] if self._one_kind else []
        path = next((self._files[name] for name in names if name in self._files), None)
        if path is None:
            raise FillFailed(f"no picture is named {' or '.join(f'{name}.png' for name in names)}")
        try:
            output = read_truth(path, None)
        except (GatefillError, OSError) as error:
            raise FillFailed(" ".join(str(error).split())) from error
        if output.shape != case.truth.shape:
            height, width = case.truth.shape[:2]
            raise FillFailed(
                f"expected {path.name} as {width} x {height}, "
                f"got {output.shape[1]} x {output.shape[0]}"
            )
        return FilledCase(np.ascontiguousarray(output), None, None)
