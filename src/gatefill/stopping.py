"""Stopping long work from outside.

Whoever may want to stop some work says with `stoppable` what is to be asked meanwhile; the work
asks at its stop points. What is asked belongs to the thread, so that fills in other threads go on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Progress = Callable[[float], None]

_SILENCE = 0.1  # seconds after which progress is told again

_asked: ContextVar[Callable[[], None] | None] = ContextVar("asked", default=None)


@contextmanager
def stoppable(ask: Callable[[], None] | None) -> Iterator[None]:
    """Let stop points of the work inside call `ask`; what it raises stops the work.

    None: nobody stops it, whatever whoever called it may want.
    """
    before = _asked.set(ask)
    try:
        yield
    finally:
        _asked.reset(before)


def is_stoppable() -> bool:
    """Whether anybody may stop the work of this thread."""
    return _asked.get() is not None


def stop_point() -> None:
    """A place where work may be stopped; there is one at least every second."""
    ask = _asked.get()
    if ask is not None:
        ask()


class Retold:
    """What is told of the progress of a fill, so that it can be told again at stop points."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._share = 0.0
        self._at = time.monotonic()

    def __call__(self, share: float) -> None:
        self._share, self._at = share, time.monotonic()
        with stoppable(None):  # it may itself call an inpainter
            self._progress(share)

    def again(self) -> None:
        if time.monotonic() - self._at >= _SILENCE:
            self(self._share)


@contextmanager
def retold(progress: Progress | None) -> Iterator[Progress | None]:
    """Let stop points of the work inside tell its progress again, and give what tells it."""
    if progress is None:
        yield None
        return
    told = Retold(progress)
    with stoppable(told.again):
        yield told


def share_of(progress: Progress | None, start: float, stop: float) -> Progress | None:
    """Map the progress of one part to [start, stop] of the whole."""
    if progress is None:
        return None
    return lambda share: progress(start + (stop - start) * share)
