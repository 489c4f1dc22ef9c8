"""Batches frames of one size that several threads fill at the same time.

A GPU takes little longer for eight small frames than for one. Frames that arrive while a batch is
computed form the next batch, so that no frame waits for others and a single caller loses nothing.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from gatefill.runtime.base import Found, Image, Mask, Progress, Runtime
from gatefill.stopping import waited_for

IDLE = 2.0  # seconds after which the thread that computes batches ends
LARGEST = 1 << 19  # largest frame that is batched, pixels; larger ones use a GPU fully


@runtime_checkable
class BatchRuntime(Runtime, Protocol):
    """A runtime that can also run several frames of one size as a batch."""

    def run_batch(self, frames: list[tuple[Image, Mask, Mask | None]]) -> list[Found]:
        """Fill the holes of several frames of one size; attention is not reported."""
        ...


@dataclass(eq=False)
class _Frame:
    """What one caller asks for, and what becomes of it."""

    image: Image
    mask: Mask
    sketch: Mask | None
    found: Future[Found] = field(default_factory=Future)


class TogetherRuntime:
    """A runtime whose callers in several threads share batches.

    A thread of its own computes the batches, each of frames of one size. Callers wait for it with
    stop points: whoever stops leaves the batch to the others, and a progress callback may itself
    ask for a frame. Frames that come alone, and large ones, are run as without this.

    Args:
        runtime: The runtime of the network.
        most: Largest number of frames in a batch.
    """

    def __init__(self, runtime: BatchRuntime, most: int) -> None:
        self.runtime = runtime
        self.most = most
        self._changed = threading.Condition()
        self._worker: threading.Thread | None = None
        self._waiting: list[_Frame] = []

    @property
    def multiple(self) -> int:
        return self.runtime.multiple

    @property
    def takes_sketch(self) -> bool:
        return self.runtime.takes_sketch

    @property
    def device(self) -> object:
        return self.runtime.device

    @property
    def dtype(self) -> object:
        return self.runtime.dtype

    def to(self, device: str | None = None, dtype: str | None = None) -> None:
        """See `Runtime.to`."""
        self.runtime.to(device, dtype)

    def memory(self, pixels: int) -> int:
        """See `Runtime.memory`."""
        return self.most * self.runtime.memory(pixels)

    def run(
        self,
        image: Image,
        mask: Mask,
        sketch: Mask | None = None,
        progress: Progress | None = None,
    ) -> Found:
        """Fill the holes of one frame; see `Runtime.run`."""
        if mask.size > LARGEST:
            return self.runtime.run(image, mask, sketch, progress)
        own = _Frame(image, mask, sketch)
        with self._changed:
            self._waiting.append(own)
            if self._worker is None or not self._worker.is_alive():  # it does not survive a fork
                self._worker = threading.Thread(
                    target=self._work, name="gatefill-batches", daemon=True
                )
                self._worker.start()
            self._changed.notify_all()
        try:
            found = waited_for(own.found)
        finally:
            with self._changed:
                if own in self._waiting:
                    self._waiting.remove(own)
        if progress is not None:
            progress(1.0)
        return found

    def _work(self) -> None:
        """Compute one batch after the other; end when no frame has come for a while."""
        while True:
            with self._changed:
                if not self._changed.wait_for(lambda: self._waiting, IDLE):
                    self._worker = None
                    return
                first, *others = self._waiting
                alike = [each for each in others if each.mask.shape == first.mask.shape]
                batch = [first, *alike[: self.most - 1]]
                self._waiting = [each for each in self._waiting if each not in batch]
            try:
                for frame, found in zip(batch, self._run(batch), strict=True):
                    frame.found.set_result(found)
            except BaseException as error:
                for frame in batch:
                    frame.found.set_exception(error)

    def _run(self, batch: list[_Frame]) -> list[Found]:
        if len(batch) == 1:
            (frame,) = batch
            return [self.runtime.run(frame.image, frame.mask, frame.sketch, None)]
        return self.runtime.run_batch([(each.image, each.mask, each.sketch) for each in batch])
