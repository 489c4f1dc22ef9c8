"""Fills that another program has made: pictures in a folder, one for each case."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import numpy as np

from gatefill.errors import GatefillError
from gatefill.evaluation.cases import Case
from gatefill.evaluation.contestants import Contestant
from gatefill.evaluation.photos import SUFFIXES, read_truth
from gatefill.evaluation.worker import FilledCase, FillFailed


class ReadyFills:
    """A contestant whose fills are read, not made.

    The picture of a case is named after its key (``KEY.png``; keys are the names in the report's
    folder ``masks``), after photo and kind of mask (``photo-box.png``, ``photo_box.png``) or, where
    each photo has one hole only, after the photo.
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
        """Nothing is to be started."""

    def close(self) -> None:
        """Nor to be ended."""

    def fill_case(self, case: Case) -> FilledCase:
        """The picture of a case. Raises FillFailed where there is none, or none of its size."""
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
