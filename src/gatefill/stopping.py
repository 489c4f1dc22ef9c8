"""Stopping long work from outside.

Whoever may want to stop some work says with `stoppable` what is to be asked meanwhile; the work
asks at its stop points. What is asked belongs to the thread, so that fills in other threads go on.
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

STRIP = 1 << 20  # pixels that are worked on from one stop point to the next

T = TypeVar("T")

PATIENCE = 0.05  # seconds between two stop points while work waits for other threads
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


def strips(height: int, width: int, pixels: int = STRIP) -> Iterator[slice]:
    """The rows of a plane in strips of about so many pixels, with a stop point before each.

    No single call works through a large photo, so that work on it can be stopped, and what it
    makes on the way takes the memory of a strip.
    """
    step = max(1, pixels // max(width, 1))
    for top in range(0, height, step):
        stop_point()
        yield slice(top, min(top + step, height))


def waited_for(future: Future[T]) -> T:
    """The result of what another thread does, with stop points meanwhile."""
    if is_stoppable():
        while not wait([future], PATIENCE).done:
            stop_point()
    return future.result()


def left_behind(call: Callable[[], T], pixels: int | None = None) -> T:
    """The result of a call that cannot be interrupted, such as one into a library.

    Where work may be stopped, another thread makes the call. Work that is stopped does not wait
    for it: it ends within some seconds, and nobody asks for its result.

    Args:
        call: What is called.
        pixels: That it works on; a small plane is not worth a thread.
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
