"""Threads for one piece of work at a time, so that fills share no pool and a process may fork.

Pools that libraries keep, such as OpenMP's, do not survive a fork: in the child their threads are
gone, and whoever gives them work waits forever. The threads started here end with the work they
were started for. torch has a pool all the same; `gatefill.runtime.torch` does without it after a
fork.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor, wait
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from gatefill.stopping import stoppable, waited_for

_STATUS = Path("/proc/self/status")
_CONTAINER_LIMITS = (  # of control groups, version 2 and 1
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)
_DEFAULT_MEMORY = 4 << 30  # bytes, where the system does not tell
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


_lock = threading.Lock()
_at_work = 0  # pieces of work, such as fills, that threads are there for right now


def _count(change: int) -> None:
    global _at_work
    with _lock:
        _at_work += change


class Threads:
    """Threads for the time of one piece of work; a context manager.

    Several pieces of work at a time share the cores: each call of `run` takes as many as are its
    part at that moment, and at least one.
    """

    def __init__(self, count: int | None = None) -> None:
        """count: of threads; None takes as many as there are cores."""
        self.count = cores() if count is None else count
        self._ended = threading.Event()
        self._pool = ThreadPoolExecutor(self.count, "gatefill") if self.count > 1 else None

    def __enter__(self) -> Self:
        _count(1)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        _count(-1)
        self._ended.set()
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
        future = self._pool.submit(self._stoppable, function, *arguments)
        return lambda: waited_for(future)

    def _stoppable(self, function: Callable[..., Result], *arguments: Any) -> Result:
        """Call a function whose stop points end it once nobody waits for it any more."""
        with stoppable(self._check):
            return function(*arguments)

    def _check(self) -> None:
        if self._ended.is_set():
            raise CancelledError

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
        bound = getattr(kernel, "bound", None)  # compiled ones look at their arguments once
        if bound is not None:
            call = bound(*arguments)
        else:

            def call(start: int, stop: int) -> None:
                kernel(start, stop, *arguments)

        step = max(least, -(-size // (self.count * PIECES)))
        starts = iter(range(0, size, step))  # next() on it is atomic

        def work(tick: Callable[[], None] | None = None) -> None:
            for start in starts:
                call(start, min(start + step, size))
                if tick is not None:
                    tick()

        helpers: list[Future[None]] = []
        if self._pool is not None and size > step:
            share = min(-(-self.count // max(_at_work, 1)), -(-size // step))
            helpers = [self._pool.submit(work) for _ in range(share - 1)]
        try:
            work(tick)
        finally:
            for _ in starts:  # after an error, nobody begins another piece
                pass
            if helpers:
                wait(helpers)  # the arrays that they write to may be used again
        for helper in helpers:
            helper.result()


class PerProcess:
    """Something with threads of its own, made once in each process that asks for it.

    In a forked process, the parent's is kept for good: closing it would wait for its threads, which
    are not there. There is no lock, which could be lost in a fork as well; of what two threads make
    at the same time one is used.

    Args:
        make: Makes it, such as a session of onnxruntime.
    """

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make
        self._made: dict[int, Any] = {}

    def get(self) -> Any:
        """What belongs to this process."""
        process = os.getpid()
        if process not in self._made:
            made = self._make()
            for lost in self._made.values():
                ctypes.pythonapi.Py_IncRef(ctypes.py_object(lost))
            self._made = {process: made}
        return self._made[process]


def _after_fork() -> None:
    global _lock, _at_work
    _lock, _at_work = threading.Lock(), 0  # the other threads of the parent are not here


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


def machine_memory() -> int:
    """Bytes of memory that this machine has, or the container that the process runs in."""
    limits = [_DEFAULT_MEMORY]
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        limits = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    for file in _CONTAINER_LIMITS:
        if file.exists() and (text := file.read_text().strip()).isdigit():
            limits.append(int(text))
    return min(limits)
