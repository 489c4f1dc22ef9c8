"""Batches frames of one size that several threads fill at the same time.

A GPU takes little longer for eight small frames than for one. Frames that arrive while a batch is
computed form the next batch, so that no frame waits for others and a single caller loses nothing.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from gatefill.runtime.base import Found, Image, Mask, Progress, Runtime

LARGEST = 1 << 19  # largest frame that is batched, pixels; larger ones use a GPU fully


@runtime_checkable
class BatchRuntime(Runtime, Protocol):
    """A runtime that can also run several frames of one size as a batch."""

    def run_batch(self, frames: list[tuple[Image, Mask, Mask | None]]) -> list[Found]:
        """Fill the holes of several frames of one size; attention is not reported."""
        ...


@dataclass(eq=False)
class _Frame:
    """The frame of one caller, and its result."""

    image: Image
    mask: Mask
    sketch: Mask | None
    called: threading.Event = field(default_factory=threading.Event)
    found: Found | BaseException | None = None  # None when woken: to compute the next batch


class TogetherRuntime:
    """A runtime whose callers in several threads share batches.

    One of the callers computes a batch of all waiting frames of its size, then wakes the next one.
    Single frames, and large ones, are run without batching.

    Args:
        runtime: The runtime of the network.
        most: Largest number of frames in a batch.
    """

    def __init__(self, runtime: BatchRuntime, most: int) -> None:
        self.runtime = runtime
        self.most = most
        self._lock = threading.Lock()
        self._busy = False  # whether a caller is computing
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
        with self._lock:
            self._waiting.append(own)
            first, self._busy = not self._busy, True
        if not first:
            own.called.wait()
        if own.found is None:
            self._compute(own)
        if isinstance(own.found, BaseException):
            raise own.found
        assert own.found is not None
        if progress is not None:
            progress(1.0)
        return own.found

    def _compute(self, own: _Frame) -> None:
        """Compute a batch with the caller's own frame, then wake the next caller."""
        with self._lock:
            others = [
                each
                for each in self._waiting
                if each is not own and each.mask.shape == own.mask.shape
            ]
            batch = [own, *others[: self.most - 1]]
            self._waiting = [each for each in self._waiting if each not in batch]
        try:
            for frame, found in zip(batch, self._run(batch), strict=True):
                frame.found = found
        except BaseException as error:
            for frame in batch:
                frame.found = error
        with self._lock:
            following = self._waiting[:1]
            self._busy = bool(following)
        for frame in [*batch, *following]:
            frame.called.set()

    def _run(self, batch: list[_Frame]) -> list[Found]:
        if len(batch) == 1:
            (frame,) = batch
            return [self.runtime.run(frame.image, frame.mask, frame.sketch, None)]
        return self.runtime.run_batch([(each.image, each.mask, each.sketch) for each in batch])
