"""Threads for one piece of work at a time, so that fills share no pool and a process may fork.

Pools that libraries keep, such as OpenMP's, do not survive a fork: in the child their threads are
gone, and whoever gives them work waits forever. The threads started here end with the work they
were started for. For libraries that have a pool all the same, such as torch, `use_library_pool`
tells whether it can still work.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

_STATUS = Path("/proc/self/status")
Result = TypeVar("Result")

PIECES = 4  # for each thread, so that the last ones do not wait long for each other


def cores() -> int:
    """How many threads to use: the cores this process may use, at most OMP_NUM_THREADS.

    NUMBA_NUM_THREADS goes before, for those who have set it.
    """
    allowed = getattr(os, "sched_getaffinity", None)  # Linux has it
    most = (os.cpu_count() or 1) if allowed is None else len(allowed(0))
    for name in ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS"):
        wanted = os.environ.get(name, "").partition(",")[0]
        if wanted.isascii() and wanted.isdigit() and int(wanted) > 0:
            return min(int(wanted), most)
    return most


class Threads:
    """Threads for the time of one piece of work; a context manager."""

    def __init__(self, count: int | None = None) -> None:
        """count: of threads; None takes as many as there are cores."""
        self.count = cores() if count is None else count
        self._pool = ThreadPoolExecutor(self.count, "gatefill") if self.count > 1 else None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def begin(self, function: Callable[..., Result], *arguments: Any) -> Callable[[], Result]:
        """Let another thread call a function meanwhile; with one thread it is called at once.

        Returns:
            What waits for the function and returns its result.
        """
        if self._pool is None:
            result = function(*arguments)
            return lambda: result
        return self._pool.submit(function, *arguments).result

    def run(
        self,
        kernel: Callable[..., None],
        size: int,
        *arguments: Any,
        least: int = 1,
        tick: Callable[[], None] | None = None,
    ) -> None:
        """Call ``kernel(start, stop, *arguments)`` until 0..size is worked off.

        Args:
            kernel: A function that lets go of the interpreter's lock while it works, such as one
                compiled with `nogil`. What it makes must not depend on where the pieces lie.
            size: How many items there are.
            least: Items below which a piece is not worth handing over.
            tick: Called between pieces; what it raises stops the work, once the pieces that are
                being worked on are done.
        """
        step = max(least, -(-size // (self.count * PIECES)))
        if self._pool is None or size <= step:
            for start in range(0, size, step):
                kernel(start, min(start + step, size), *arguments)
                if tick is not None:
                    tick()
            return
        pieces = [
            self._pool.submit(kernel, start, min(start + step, size), *arguments)
            for start in range(0, size, step)
        ]
        try:
            for piece in pieces:
                piece.result()
                if tick is not None:
                    tick()
        except BaseException:
            for piece in pieces:
                piece.cancel()
            wait(pieces)  # the arrays that they write to may be used again
            raise


# Whether a library's pool has worked in this process, and in one that this one was forked from.
_pool_used = False
_pool_lost = False


def use_library_pool() -> bool:
    """Say that a library's pool of threads is going to work; call it before each time.

    Returns:
        False in a process that was forked after such a pool had worked: its threads are gone, so
        the library must work on the calling thread alone.
    """
    global _pool_used
    _pool_used = True
    return not _pool_lost


def _after_fork() -> None:
    global _pool_used, _pool_lost
    _pool_lost |= _pool_used
    _pool_used = False


if hasattr(os, "register_at_fork"):  # not on Windows, which cannot fork
    os.register_at_fork(after_in_child=_after_fork)


def peak_memory() -> int | None:
    """The highest resident memory of this process in bytes; None where the system cannot tell.

    On Linux it is VmHWM, not getrusage's ru_maxrss: that one is handed down from the parent.
    """
    if _STATUS.exists():
        for line in _STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    if sys.platform == "win32":
        return None
    import resource  # Windows has no such module

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024
