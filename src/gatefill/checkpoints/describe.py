"""Describes a weights file, of gatefill or of another program."""

from __future__ import annotations

import dataclasses
import glob
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gatefill.checkpoints import tensorflow
from gatefill.checkpoints.convert import TITLES, read_foreign
from gatefill.checkpoints.native import Provenance, is_safetensors, read_header


@dataclass(frozen=True)
class Description:
    """The result of `describe`."""

    format: str  # "gatefill weights", or the other program
    method: str
    config: dict[str, Any]
    parameters: int | None  # None for ONNX files
    file_bytes: int  # of all files of a checkpoint together
    step: int | None  # training step, if the file has it
    provenance: Provenance | None  # None in files of other programs, which keep none

    def as_dict(self) -> dict[str, Any]:
        """Return all fields as plain values that JSON can hold."""
        return dataclasses.asdict(self)

    def rows(self) -> list[tuple[str, str]]:
        """Return (name, value) pairs as text, most important first."""
        facts = {} if self.provenance is None else dataclasses.asdict(self.provenance)
        config = ", ".join(f"{name}={value}" for name, value in self.config.items())
        return [
            ("format", self.format),
            ("method", self.method),
            ("config", config),
            ("numbers", self._numbers()),
            *([] if self.step is None else [("step", str(self.step))]),
            *(
                (name, str(value))
                for name, value in facts.items()
                if value is not None and name != "step"
            ),
        ]

    def _numbers(self) -> str:
        if self.parameters is None:
            return f"{self.file_bytes:,} bytes"
        return f"{self.parameters:,} in {self.file_bytes:,} bytes"


def describe(path: str | os.PathLike[str]) -> Description:
    """Describe weights: of gatefill, exported by gatefill, or of any program `convert` supports.

    gatefill's own files need only the core install. Raises WeightsError for other or damaged files,
    OSError for unreadable ones, and MissingExtra if torch or TensorFlow is needed to read another
    program's file.
    """
    path = Path(path)
    if path.is_file() and is_safetensors(path):
        info = read_header(path)
        return Description(
            "gatefill weights",
            info.method,
            info.config,
            info.parameters,
            info.file_bytes,
            info.provenance.step,
            info.provenance,
        )
    if path.suffix == ".onnx":
        return _exported(path)
    foreign = read_foreign(path)
    return Description(
        TITLES[foreign.kind],
        foreign.method,
        dataclasses.asdict(foreign.config),
        sum(value.numel() for value in foreign.state.values()),
        _file_bytes(path),
        foreign.step,
        None,
    )


def _exported(path: Path) -> Description:
    from gatefill.runtime.onnx import read_facts

    facts = read_facts(path)
    provenance = Provenance(**json.loads(facts["provenance"]))
    use = "gatefill" if facts["interface"] == "frame" else "other programs"
    return Description(
        f"ONNX for {use}, {facts['storage']}",
        facts["method"],
        json.loads(facts["config"]),
        None,
        path.stat().st_size,
        provenance.step,
        provenance,
    )


def _file_bytes(path: Path) -> int:
    """Return the bytes of a file, or of the index and data files of a TensorFlow checkpoint."""
    if not tensorflow.is_checkpoint(path):
        return path.stat().st_size
    prefix = tensorflow.checkpoint_prefix(path)
    return sum(
        each.stat().st_size for each in prefix.parent.glob(f"{glob.escape(prefix.name)}.[id]*")
    )
