"""Jobs in worker threads, queued by available memory; small jobs pass large ones."""

from __future__ import annotations

import asyncio
import logging
import math
import os
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, TypeVar

from gatefill.server.limits import Limits
from gatefill.stopping import stoppable

logger = logging.getLogger(__name__)

T = TypeVar("T")
Report = Callable[[float], None]

_LONGEST_RETRY = 60  # seconds
_PASSED = 10.0  # seconds after which a job that waits for memory is not passed any more
_NICE = 5  # niceness of large jobs, so that small ones and the server go first


class Busy(Exception):  # noqa: N818 - the name says what is wrong
    """All workers are taken and the queue is full."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"the server is busy: try again in {retry_after} s")
        self.retry_after = retry_after


class TimeUp(Exception):  # noqa: N818
    """A job took longer than a request may."""


class Stopped(Exception):  # noqa: N818
    """Raised inside a job after its client disconnected or its time limit passed."""


class Left(Stopped):
    """The client of a request has disconnected."""


class Need(NamedTuple):
    """The resources of a job, as estimated before it starts."""

    memory: int = 0  # bytes
    large: bool = False  # it may take many seconds


class Ticket:
    """Connects a running job to its request; used in the worker's thread."""

    def __init__(self, report: Report | None = None) -> None:
        self._report = report
        self._stopped = threading.Event()

    @property
    def stopped(self) -> bool:
        return self._stopped.is_set()

    def stop(self) -> None:
        self._stopped.set()

    def check(self) -> None:
        """Raise Stopped if the job was canceled."""
        if self._stopped.is_set():
            raise Stopped

    def progress(self, share: float) -> None:
        """Report the completed fraction, in [0, 1]; raises Stopped as `check` does."""
        self.check()
        if self._report is not None:
            self._report(share)


@dataclass(eq=False)
class _Job:
    """A job that waits or runs."""

    work: Callable[[Ticket], Any]
    ticket: Ticket
    need: Need
    measured: bool
    future: Future[Any] = field(default_factory=Future)
    came: float = field(default_factory=time.monotonic)
    context: Context = field(default_factory=copy_context)  # of the request, such as its language


class QueuedJob(Generic[T]):
    """A job that waits or runs, with access to its result."""

    def __init__(self, jobs: Jobs, job: _Job) -> None:
        self._jobs = jobs
        self._job = job

    @property
    def waiting(self) -> bool:
        """Whether no worker has started it."""
        return not (self._job.future.running() or self._job.future.done())

    def cancel(self) -> None:
        """Remove a waiting job; a running one stops at its next stop point."""
        self._jobs.cancel(self._job)

    async def result(self) -> T:
        """Wait for the outcome of the job; raise TimeUp after the limit.

        Canceling the wait cancels the job.
        """
        seconds = self._jobs.limits.seconds
        waiting = asyncio.wrap_future(self._job.future)
        # Otherwise asyncio logs an error if nobody waits for the outcome any more.
        waiting.add_done_callback(lambda done: done.cancelled() or done.exception())
        try:
            async with asyncio.timeout(seconds):
                # Shielded, because a canceled wrapper would lose track of a running job.
                found: T = await asyncio.shield(waiting)
                return found
        except TimeoutError:
            raise TimeUp(f"the work took longer than {seconds:g} s") from None
        finally:
            if not self._job.future.done():
                self.cancel()


class Jobs:
    """Worker threads and their queue.

    Jobs start in the order in which they were submitted, as soon as there is a worker and memory
    for them. One worker, if there are several, is reserved for small jobs, so these pass large
    ones. A job that has waited for memory for some seconds is not passed any more.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._lock = threading.Lock()
        self._queue: list[_Job] = []
        self._at_work: set[_Job] = set()
        self._closed = False
        self._mean_seconds: float | None = None  # of the jobs so far

    @property
    def waiting(self) -> int:
        """Number of jobs that no worker has started."""
        return len(self._queue)

    @property
    def running(self) -> int:
        """Number of running jobs, including stopped ones that have not ended yet."""
        return len(self._at_work)

    @property
    def memory(self) -> int:
        """Bytes that the running jobs may take together, as estimated."""
        return sum(job.need.memory for job in list(self._at_work))

    def submit(
        self,
        work: Callable[[Ticket], T],
        report: Report | None = None,
        *,
        need: Need | None = None,
        measured: bool = True,
    ) -> QueuedJob[T]:
        """Queue `work` for a worker thread.

        Args:
            work: The job; called with its ticket.
            report: Called in the worker's thread with the completed fraction.
            need: Resources of the job. Default: negligible.
            measured: Whether its duration is used to estimate those of other jobs.

        Raises:
            Busy: If the queue is full.
        """
        job = _Job(work, Ticket(report), need or Need(), measured)
        with self._lock:
            admitted = len(self._queue) + len(self._at_work)
            if self._closed or admitted >= self.limits.workers + self.limits.waiting:
                raise Busy(self._retry_after(admitted))
            self._queue.append(job)
            self._begin()
        return QueuedJob(self, job)

    def cancel(self, job: _Job, reason: Exception | None = None) -> None:
        """Stop a job; reason: the error for its client, if it still waits."""
        job.ticket.stop()
        with self._lock:
            if job in self._queue:
                self._queue.remove(job)
        with suppress(InvalidStateError):
            job.future.set_exception(reason or Stopped())

    def close(self) -> None:
        """Stop all jobs, and notify their clients immediately."""
        with self._lock:
            self._closed = True
            jobs = [*self._queue, *self._at_work]
        for job in jobs:
            self.cancel(job)

    def _begin(self) -> None:
        """Start the jobs that may start; called with the lock held."""
        for job in self._startable():
            self._queue.remove(job)
            job.future.set_running_or_notify_cancel()
            self._at_work.add(job)
            # No pool: a large job lowers the priority of its thread, which cannot be raised again.
            # Daemon threads, so that a server can exit while a library call is still running.
            threading.Thread(
                target=job.context.run,
                args=(self._run, job),
                name="gatefill-worker",
                daemon=True,
            ).start()

    def _startable(self) -> list[_Job]:
        workers, large = self.limits.workers, sum(job.need.large for job in self._at_work)
        running, memory = len(self._at_work), self.memory
        found: list[_Job] = []
        now = time.monotonic()
        for job in self._queue:
            if running + len(found) >= workers:
                break
            if job.need.large and large >= max(workers - 1, 1):
                continue
            # A job that needs more than all memory is refused before it gets here.
            if memory and memory + job.need.memory > self.limits.memory_for_jobs:
                if now - job.came > _PASSED:
                    break
                continue
            found.append(job)
            large += job.need.large
            memory += job.need.memory
        return found

    def _run(self, job: _Job) -> None:
        started = time.monotonic()
        if job.need.large:
            _yield_to_others()
        try:
            with stoppable(job.ticket.check):
                job.ticket.check()
                result = job.work(job.ticket)
            if job.measured:
                self._note(time.monotonic() - started)
            with suppress(InvalidStateError):  # the job was stopped just before it ended
                job.future.set_result(result)
        except BaseException as error:
            with suppress(InvalidStateError):
                job.future.set_exception(error)
        finally:
            with self._lock:
                self._at_work.remove(job)
                self._begin()

    def _note(self, seconds: float) -> None:
        """Update a moving average over about ten jobs."""
        with self._lock:
            mean = seconds if self._mean_seconds is None else self._mean_seconds
            self._mean_seconds = mean + 0.1 * (seconds - mean)

    def _retry_after(self, admitted: int) -> int:
        """Return the whole seconds after which a large part of the queue should be done."""
        ahead = (self._mean_seconds or 1.0) * admitted / self.limits.workers / 2
        return min(max(math.ceil(ahead), 1), _LONGEST_RETRY)


def _yield_to_others() -> None:
    """Lower the priority of this thread and of those it starts, if the system supports that."""
    if sys.platform == "linux":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)


async def until_left(receive: Any) -> None:
    """Wait until the client of an ASGI request disconnects; the body must have been read."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def answer(job: QueuedJob[T], receive: Any) -> T | None:
    """Return the result of a job; None if the client disconnects first, which cancels the job."""
    waiting = asyncio.create_task(job.result())
    leaving = asyncio.create_task(until_left(receive))
    try:
        await asyncio.wait({waiting, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if waiting.done():
            return waiting.result()
        logger.info("a client left; its job is canceled")
        return None
    finally:
        leaving.cancel()
        waiting.cancel()
        await asyncio.gather(leaving, waiting, return_exceptions=True)
