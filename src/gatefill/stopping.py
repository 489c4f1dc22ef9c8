"""Cancelling long work from outside.

`stoppable` sets a function for the work inside it, and the work calls that function at its stop
points; an exception that the function raises cancels the work. The function is set per thread, so
that fills in other threads continue.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

Progress = Callable[[float], None]

STRIP = 1 << 20  # pixels to process between two stop points

T = TypeVar("T")

PATIENCE = 0.05  # seconds between two stop points while work waits for other threads
_SILENCE = 0.1  # seconds without progress after which it is reported again

_asked: ContextVar[Callable[[], None] | None] = ContextVar("asked", default=None)


@contextmanager
def stoppable(ask: Callable[[], None] | None) -> Iterator[None]:
    """Let the stop points of the work inside call `ask`; what it raises cancels the work.

    With None the work inside cannot be cancelled, even if the work around it can be.
    """
    before = _asked.set(ask)
    try:
        yield
    finally:
        _asked.reset(before)


def is_stoppable() -> bool:
    """Return whether the work of this thread can be cancelled."""
    return _asked.get() is not None


def stop_point() -> None:
    """Cancel the work here if that was requested; called at least once per second."""
    ask = _asked.get()
    if ask is not None:
        ask()


def strips(height: int, width: int, pixels: int = STRIP) -> Iterator[slice]:
    """Yield the rows of a plane in strips of about `pixels` pixels, with a stop point before each.

    Working in strips allows large photos to be cancelled, and keeps temporary arrays small.

    Args:
        height: Height of the plane in pixels.
        width: Width of the plane in pixels.
        pixels: Approximate size of a strip.
    """
    step = max(1, pixels // max(width, 1))
    for top in range(0, height, step):
        stop_point()
        yield slice(top, min(top + step, height))


def waited_for(future: Future[T]) -> T:
    """Wait for the result of another thread, with stop points meanwhile."""
    if is_stoppable():
        while not wait([future], PATIENCE).done:
            stop_point()
    return future.result()


def left_behind(call: Callable[[], T], pixels: int | None = None) -> T:
    """Call a function that cannot be interrupted, such as one of a library, and return its result.

    If the work can be cancelled, the call runs in another thread. Cancelled work does not wait for
    the call, which ends within seconds with its result discarded.

    Args:
        call: The function.
        pixels: Number of pixels it works on; for few pixels no thread is started.
    """
    if not is_stoppable() or (pixels is not None and pixels <= STRIP):
        return call()
    stop_point()
    future: Future[T] = Future()

    def work() -> None:
        try:
            future.set_result(call())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=work, name="gatefill-call", daemon=True).start()
    return waited_for(future)


class Retold:
    """A progress callback that repeats its last report at stop points."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._share = 0.0
        self._at = time.monotonic()

    def __call__(self, share: float) -> None:
        self._share, self._at = share, time.monotonic()
        with stoppable(None):  # the callback may itself call an inpainter
            self._progress(share)

    def again(self) -> None:
        if time.monotonic() - self._at >= _SILENCE:
            self(self._share)


@contextmanager
def retold(progress: Progress | None) -> Iterator[Progress | None]:
    """Yield a progress callback that the stop points of the work inside repeat."""
    if progress is None:
        yield None
        return
    told = Retold(progress)
    with stoppable(told.again):
        yield told


def share_of(progress: Progress | None, start: float, stop: float) -> Progress | None:
    """Map the progress of one part of the work to [start, stop] of the whole."""
    if progress is None:
        return None
    return lambda share: progress(start + (stop - start) * share)
