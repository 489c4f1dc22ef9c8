"""Jobs in worker threads: a queue that keeps to memory and lets small jobs pass large ones."""

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
_PASSED = 10.0  # seconds after which nobody passes a job that waits for memory
_NICE = 5  # by which large jobs yield to small ones and to the server itself


class Busy(Exception):  # noqa: N818 - says what is the matter, as a name
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
    """What a job takes, as planned before it begins."""

    memory: int = 0  # bytes
    large: bool = False  # it may take many seconds


class Ticket:
    """The connection of a running job to its request; used in the worker's thread."""

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
    """A job in the queue or at work."""

    work: Callable[[Ticket], Any]
    ticket: Ticket
    need: Need
    measured: bool
    future: Future[Any] = field(default_factory=Future)
    came: float = field(default_factory=time.monotonic)
    context: Context = field(default_factory=copy_context)  # of the request, such as its language


class QueuedJob(Generic[T]):
    """A job that waits or runs, for whoever wants its result."""

    def __init__(self, jobs: Jobs, job: _Job) -> None:
        self._jobs = jobs
        self._job = job

    @property
    def waiting(self) -> bool:
        """Whether no worker has begun with it."""
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
        # Else asyncio complains where nobody wants the outcome any more.
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

    Jobs begin in the order in which they came, as soon as there is a worker and memory for them.
    One worker is left to small jobs, if there are several, so these pass large ones. A job that has
    waited for memory for some seconds is not passed any more.
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
        """Number of jobs at work, those included that were stopped and have not ended yet."""
        return len(self._at_work)

    @property
    def memory(self) -> int:
        """Bytes that the jobs at work may take together, as planned."""
        return sum(job.need.memory for job in list(self._at_work))

    def submit(
        self,
        work: Callable[[Ticket], T],
        report: Report | None = None,
        *,
        need: Need | None = None,
        measured: bool = True,
    ) -> QueuedJob[T]:
        """Queue `work`, to be called in a worker thread.

        report: called in that thread with the completed fraction. need: what it takes; nothing
        worth counting by default. measured: whether its duration tells how long others will take.
        Raises Busy if the queue is full.
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
        """Stop a job, for a reason if anybody still wants to know it."""
        job.ticket.stop()
        with self._lock:
            if job in self._queue:
                self._queue.remove(job)
        with suppress(InvalidStateError):
            job.future.set_exception(reason or Stopped())

    def close(self) -> None:
        """Stop all jobs; those who wait for them are told at once."""
        with self._lock:
            self._closed = True
            jobs = [*self._queue, *self._at_work]
        for job in jobs:
            self.cancel(job)

    def _begin(self) -> None:
        """Let workers begin with what may begin; called with the lock."""
        for job in self._startable():
            self._queue.remove(job)
            job.future.set_running_or_notify_cancel()
            self._at_work.add(job)
            # No pool: a large job lowers the priority of its thread, which cannot be raised again.
            # A daemon, so that a server can end whatever a library is still doing.
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
            # One that needs more than there is, alone, is refused before it comes here.
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
            with suppress(InvalidStateError):  # it was stopped in its last moment
                job.future.set_result(result)
        except BaseException as error:
            with suppress(InvalidStateError):
                job.future.set_exception(error)
        finally:
            with self._lock:
                self._at_work.remove(job)
                self._begin()

    def _note(self, seconds: float) -> None:
        """Keep a moving mean over about ten jobs."""
        with self._lock:
            mean = seconds if self._mean_seconds is None else self._mean_seconds
            self._mean_seconds = mean + 0.1 * (seconds - mean)

    def _retry_after(self, admitted: int) -> int:
        """Whole seconds after which a large part of the queue should be done."""
        ahead = (self._mean_seconds or 1.0) * admitted / self.limits.workers / 2
        return min(max(math.ceil(ahead), 1), _LONGEST_RETRY)


def _yield_to_others() -> None:
    """Lower the priority of this thread and of those it starts, where the system has such."""
    if sys.platform == "linux":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)


async def until_left(receive: Any) -> None:
    """Wait until the client of an ASGI request disconnects; the body must have been read."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def answer(job: QueuedJob[T], receive: Any) -> T | None:
    """The result of a job; None if the client disconnects first, which cancels the job."""
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
