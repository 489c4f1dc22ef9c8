"""How long a fill, once asked to stop, goes on: the longest step between its stop points.

    python benchmarks/stopping.py [--megapixels 12 48] [--methods hybrid ...] [--above 0.5]

Runs what a worker of the server runs for a request, from the bytes of the files to those of the
reply, and notes when it passes stop points: whatever moment a client leaves at, the worker is free
at the next one. Steps are told in seconds of processor time of the worker's thread, so that other
work on the machine does not count, with the line that was at work most of the time.
"""

from __future__ import annotations

import argparse
import io
import sys
import threading
import time
import traceback
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import PIL.Image

import gatefill
from gatefill.server import work
from gatefill.server.jobs import Ticket
from gatefill.server.models import Model
from gatefill.server.reading import InpaintInput
from gatefill.server.schema import InpaintOptions
from gatefill.stopping import stoppable

SAMPLE = Path(gatefill.__file__).parent / "server" / "web" / "samples" / "rocks.jpg"
METHODS = ("hybrid", "patchmatch", "deepfill_v2", "deepfill_v1", "partial_conv", "global_local")
MASKS = ("quarter", "1000", "noise", "specks")
FORMATS = ("same", "png", "webp", "tiff")
_WATCHED = 0.02  # seconds between two looks at what the worker does


class Steps:
    """The times between stop points of one thread, and what it did meanwhile."""

    def __init__(self) -> None:
        self.thread = threading.get_ident()
        self.last = 0.0
        self.found: list[tuple[float, str]] = []
        self._seen: list[str] = []
        self._ended = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Steps:
        self._watcher.start()
        self.last = time.thread_time()
        return self

    def __exit__(self, *_: object) -> None:
        self.passed()
        self._ended.set()
        self._watcher.join()

    def passed(self) -> None:
        now, seen = time.thread_time(), self._seen
        if now - self.last > 0.1:
            lines = dict.fromkeys(seen)
            most = max(lines, key=seen.count, default="?")
            self.found.append((now - self.last, most))
        self.last, self._seen = now, []

    def longest(self) -> list[tuple[float, str]]:
        by_line: dict[str, float] = {}
        for seconds, line in self.found:
            by_line[line] = max(by_line.get(line, 0.0), seconds)
        return sorted(((s, line) for line, s in by_line.items()), reverse=True)

    def _watch(self) -> None:
        while not self._ended.wait(_WATCHED):
            frame = sys._current_frames().get(self.thread)
            if frame is not None:
                self._seen.append(_ours(frame))


def _ours(frame: FrameType) -> str:
    """The innermost line of gatefill, and the one that called it."""
    lines = [
        f"{Path(each.filename).name}:{each.lineno} {each.name}"
        for each in traceback.extract_stack(frame)
        if "gatefill" in each.filename and "benchmarks" not in each.filename
    ]
    return " < ".join(reversed(lines[-3:]))


def inputs(megapixels: float, kind: str) -> tuple[bytes, bytes]:
    """A photo of 4:3 as JPEG and a mask as PNG."""
    width = round((megapixels * 4e6 / 3) ** 0.5)
    height = width * 3 // 4
    photo = PIL.Image.open(SAMPLE).convert("RGB").resize((width, height))
    rng = np.random.default_rng(0)
    mask = np.zeros((height, width), np.uint8)
    if kind == "quarter":
        mask[height // 4 : -height // 4, width // 4 : -width // 4] = 255
    elif kind == "noise":
        mask[rng.random(mask.shape) < 0.4] = 255
    elif kind == "specks":
        for y, x in rng.integers(0, (height - 12, width - 12), (5000, 2)):
            mask[y : y + 8, x : x + 8] = 255
    else:
        side = int(kind)
        mask[height // 3 :, width // 3 :][:side, :side] = 255
    files = []
    for picture, format in ((photo, "JPEG"), (PIL.Image.fromarray(mask), "PNG")):
        out = io.BytesIO()
        picture.save(out, format, quality=90)
        files.append(out.getvalue())
    return files[0], files[1]


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--megapixels", type=float, nargs="+", default=[12, 48])
    parser.add_argument("--methods", nargs="+", default=METHODS)
    parser.add_argument("--masks", nargs="+", default=MASKS)
    parser.add_argument("--formats", nargs="+", default=["same"])
    parser.add_argument("--above", type=float, default=0.2, help="shorter steps are left out")
    parser.add_argument("--most", type=float, default=90.0, help="seconds until a fill is stopped")
    given = parser.parse_args()
    for name in given.methods:
        model = Model(name, gatefill.load(name))
        model.warm_up()
        for megapixels in given.megapixels:
            for kind in given.masks:
                photo, mask = inputs(megapixels, kind)
                for format in given.formats:
                    _measure(model, photo, mask, format, f"{megapixels:g} MP, {kind}", given)


class _Watched(Ticket):
    """A request's ticket that notes when it is asked, and stops the work after some time."""

    def __init__(self, steps: Steps, most: float) -> None:
        super().__init__()
        self.steps, self.end = steps, time.monotonic() + most

    def check(self) -> None:
        self.steps.passed()
        if time.monotonic() > self.end:
            self.stop()
        super().check()


def _measure(model: Model, photo: bytes, mask: bytes, format: str, what: str, given: Any) -> None:
    options = InpaintOptions.model_validate({"format": format})
    asked = InpaintInput(options, photo, mask, None, None)
    started = time.monotonic()
    with Steps() as steps:
        ticket = _Watched(steps, given.most)
        outcome = "whole"
        try:
            with stoppable(ticket.check):
                work.inpaint(asked, model, None, 50_000_000, ticket)
        except Exception as error:
            outcome = type(error).__name__
    taken = time.monotonic() - started
    longest = steps.longest()
    top = longest[0][0] if longest else 0.1
    print(
        f"{model.name:13} {what:18} {format:5} {taken:6.1f} s {outcome:8} longest {top:.2f} s",
        flush=True,
    )
    for seconds, line in longest:
        if seconds >= given.above:
            print(f"    {seconds:.2f} s  {line}", flush=True)


if __name__ == "__main__":
    main()
