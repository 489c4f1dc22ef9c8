"""Logs of a run: TensorBoard, JSON lines, example images, ``run.json``."""

from __future__ import annotations

import json
import platform
import sys
import types
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from gatefill import __version__
from gatefill.training.config import TrainConfig
from gatefill.training.files import whole, write_json
from gatefill.training.pictures import Picture, jpeg, png

PACKAGES = ("lightning-fabric", "numpy", "opencv-python-headless", "webdataset")


class RunJournal:
    """The logs of one run; a resumed run appends to the same files."""

    def __init__(self, folder: Path, images: int) -> None:
        """images: position at which the run resumes; later entries, of lost steps, are removed."""
        self.folder = folder
        self._lines = folder / "log.jsonl"
        self._forget_after(images)
        self._board = _board(folder / "tensorboard", images)

    def write(self, images: int, kind: str, values: dict[str, float]) -> None:
        """Write a line of the log and the values of TensorBoard's curves."""
        line = {"images": images, "kind": kind} | values
        with self._lines.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        for name, value in values.items():
            self._board.add_scalar(f"{kind}/{name}", value, images)

    def picture(self, images: int, name: str, picture: Picture) -> None:
        """Write an image to TensorBoard, and to a file of the newest and a permanent one."""
        self._board.add_image(name, picture, images, dataformats="HWC")
        with whole(self.folder / f"{name}.png") as beside:
            beside.write_bytes(png(picture))
        kept = self.folder / name / f"{images:09d}.jpg"
        kept.parent.mkdir(exist_ok=True)
        with whole(kept) as beside:
            beside.write_bytes(jpeg(picture))

    def close(self) -> None:
        self._board.close()

    def _forget_after(self, images: int) -> None:
        """Delete the lines of lost steps, and an incomplete last line."""
        if not self._lines.exists():
            return
        kept = []
        for line in self._lines.read_text(encoding="utf-8").splitlines():
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            if entry["images"] <= images:
                kept.append(line + "\n")
        with whole(self._lines) as beside:
            beside.write_text("".join(kept), encoding="utf-8")


def _board(folder: Path, images: int) -> Any:
    """TensorBoard's writer, without importing TensorFlow even if it is installed."""
    # With a module of this name TensorBoard uses its own stand-in for TensorFlow's file system;
    # importing TensorFlow would cost ten seconds and half a gigabyte.
    name = "tensorboard.compat.notf"
    sys.modules.setdefault(name, types.ModuleType(name))
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(folder, purge_step=images + 1)


def write_run(folder: Path, config: TrainConfig, facts: dict[str, Any]) -> None:
    """Write ``run.json``: the config and the progress of the run."""
    versions = {"gatefill": __version__, "python": platform.python_version()}
    versions["torch"] = str(torch.__version__)  # its package's version may lack the CUDA build
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    value = {"config": config.as_dict(), "versions": versions, "platform": platform.platform()}
    value["byte_order"] = sys.byteorder
    write_json(folder / "run.json", value | facts)
