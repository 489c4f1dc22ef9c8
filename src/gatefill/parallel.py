"""Threads that live as long as one piece of work, so that the process can fork at any time.

Thread pools that libraries keep, such as OpenMP's, do not survive a fork: the child has no such
threads, and waits forever for work it gives them. The threads started here end with the work they
were started for. torch keeps a pool nevertheless; `gatefill.runtime.torch` avoids it after a fork.
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
_CONTAINER_LIMITS = (  # memory limits of control groups, version 2 and 1
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)
_DEFAULT_MEMORY = 4 << 30  # bytes, if the system does not report its memory
Result = TypeVar("Result")

PIECES = 4  # per thread, so that all threads finish at about the same time


def cores() -> int:
    """Return the number of threads to use: the cores this process may use, at most OMP_NUM_THREADS.

    NUMBA_NUM_THREADS, if set, takes precedence over OMP_NUM_THREADS.
    """
    allowed = getattr(os, "sched_getaffinity", None)  # Linux has it
    most = (os.cpu_count() or 1) if allowed is None else len(allowed(0))
    for name in ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS"):
        wanted = os.environ.get(name, "").partition(",")[0]
        if wanted.isascii() and wanted.isdigit() and int(wanted) > 0:
            return min(int(wanted), most)
    return most


_lock = threading.Lock()
_at_work = 0  # number of pieces of work, such as fills, that have threads at the moment


def _count(change: int) -> None:
    global _at_work
    with _lock:
        _at_work += change


class Threads:
    """A context manager with threads for one piece of work.

    Pieces of work that run at the same time share the cores: each call of `run` uses its share at
    that moment, at least one thread.
    """

    def __init__(self, count: int | None = None) -> None:
        """count: number of threads; None: as many as there are cores."""
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
        """Start a function in another thread; with one thread it is called immediately.

        Returns:
            A function that waits for the result and returns it.
        """
        if self._pool is None:
            result = function(*arguments)
            return lambda: result
        future = self._pool.submit(self._stoppable, function, *arguments)
        return lambda: waited_for(future)

    def _stoppable(self, function: Callable[..., Result], *arguments: Any) -> Result:
        """Call a function that ends at its next stop point once nobody waits for its result."""
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
        """Call ``kernel(start, stop, *arguments)`` on pieces that together cover 0..size.

        Args:
            kernel: A function that releases the interpreter lock while it works, such as one
                compiled with `nogil`. Its output must not depend on how the range is split.
            size: Number of items.
            least: Smallest number of items worth a piece of their own.
            tick: Called between pieces. An exception that it raises stops the work once the pieces
                in progress are done.
        """
        bound = getattr(kernel, "bound", None)  # compiled kernels convert their arguments once
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
            for _ in starts:  # after an error, no further piece is started
                pass
            # afterwards the arrays they write to may be reused; those not yet begun never will
            helpers = [helper for helper in helpers if not helper.cancel()]
            if helpers:
                wait(helpers)
        for helper in helpers:
            helper.result()


class PerProcess:
    """An object with threads of its own, created once in each process that uses it.

    After a fork, the parent's object is kept and never closed: closing it would wait for threads
    that do not exist in the child. There is no lock, which a fork could leave locked; if two
    threads create the object at the same time, one of the two is used.

    Args:
        make: Creates the object, such as a session of onnxruntime.
    """

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make
        self._made: dict[int, Any] = {}

    def get(self) -> Any:
        """Return the object of this process."""
        process = os.getpid()
        if process not in self._made:
            made = self._make()
            for lost in self._made.values():
                ctypes.pythonapi.Py_IncRef(ctypes.py_object(lost))
            self._made = {process: made}
        return self._made[process]


def _after_fork() -> None:
    global _lock, _at_work
    _lock, _at_work = threading.Lock(), 0  # the parent's other threads do not exist here


if hasattr(os, "register_at_fork"):  # not on Windows, which cannot fork
    os.register_at_fork(after_in_child=_after_fork)


def peak_memory() -> int | None:
    """Return the peak resident memory of this process in bytes; None if the system cannot tell.

    On Linux it is VmHWM, not getrusage's ru_maxrss, which a child inherits from its parent.
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
    """Return the bytes of memory of this machine, or of the container the process runs in."""
    limits = [_DEFAULT_MEMORY]
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        limits = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    for file in _CONTAINER_LIMITS:
        if file.exists() and (text := file.read_text().strip()).isdigit():
            limits.append(int(text))
    return min(limits)
