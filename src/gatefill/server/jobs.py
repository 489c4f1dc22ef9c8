"""Jobs in worker threads: a bounded queue, cancellation, time limits, a limit on pixels."""

from __future__ import annotations

import asyncio
import logging
import math
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

from gatefill.server.limits import Limits

logger = logging.getLogger(__name__)

T = TypeVar("T")
Report = Callable[[float], None]

_LONGEST_RETRY = 60  # seconds


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


class PixelBudget:
    """Limits the total number of pixels of the photos that are processed at a time."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.in_flight = 0
        self._changed = threading.Condition()

    @contextmanager
    def hold(self, pixels: int, check: Callable[[], None]) -> Iterator[None]:
        """Reserve `pixels`, after waiting until they fit; `check` may raise to stop the wait.

        A photo larger than the limit is processed alone.
        """
        with self._changed:
            while self.in_flight and self.in_flight + pixels > self.limit:
                self._changed.wait(timeout=0.2)
                check()
            self.in_flight += pixels
        try:
            yield
        finally:
            with self._changed:
                self.in_flight -= pixels
                self._changed.notify_all()


class Ticket:
    """The connection of a running job to its request; used in the worker's thread."""

    def __init__(self, budget: PixelBudget, report: Report | None) -> None:
        self._budget = budget
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

    @contextmanager
    def pixels(self, count: int) -> Iterator[None]:
        """Wait until a photo of `count` pixels fits into the limit, and reserve them."""
        with self._budget.hold(count, self.check):
            yield


class QueuedJob(Generic[T]):
    """A job that waits or runs."""

    def __init__(self, ticket: Ticket, future: Future[T], seconds: float) -> None:
        self._ticket = ticket
        self._future = future
        self._seconds = seconds

    def cancel(self) -> None:
        """Remove a waiting job; a running one stops at its next report of progress."""
        self._ticket.stop()
        self._future.cancel()

    async def result(self) -> T:
        """Wait for the outcome of the job; raise TimeUp after the limit.

        Canceling the wait cancels the job.
        """
        try:
            async with asyncio.timeout(self._seconds):
                # Shielded, because a canceled wrapper would lose track of a running job.
                return await asyncio.shield(asyncio.wrap_future(self._future))
        except TimeoutError:
            raise TimeUp(f"the work took longer than {self._seconds:g} s") from None
        except asyncio.CancelledError:
            if self._future.cancelled() and self._ticket.stopped:  # by `Jobs.close`
                raise Stopped from None
            raise
        finally:
            if not self._future.done():
                self.cancel()


class Jobs:
    """Worker threads and their queue."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.budget = PixelBudget(limits.max_pixels_in_flight)
        self._pool = ThreadPoolExecutor(limits.workers, thread_name_prefix="gatefill-worker")
        self._lock = threading.Lock()
        self._admitted: set[Ticket] = set()
        self._mean_seconds: float | None = None  # of the jobs so far
        self.running = 0

    @property
    def waiting(self) -> int:
        """Number of jobs that no worker has started."""
        return max(len(self._admitted) - self.running, 0)

    def submit(
        self,
        work: Callable[[Ticket], T],
        report: Report | None = None,
        *,
        measured: bool = True,
    ) -> QueuedJob[T]:
        """Queue `work`, to be called in a worker thread.

        report: called in that thread with the completed fraction. measured: whether its duration
        tells how long others will take.
        Raises Busy if the queue is full.
        """
        ticket = Ticket(self.budget, report)
        with self._lock:
            if len(self._admitted) >= self.limits.workers + self.limits.waiting:
                raise Busy(self._retry_after())
            self._admitted.add(ticket)
        try:
            future = self._pool.submit(self._run, work, ticket, measured)
        except RuntimeError as error:  # the pool was closed
            self._admitted.discard(ticket)
            raise Busy(1) from error
        future.add_done_callback(lambda _: self._admitted.discard(ticket))
        return QueuedJob(ticket, future, self.limits.seconds)

    def _note(self, seconds: float) -> None:
        """Keep a moving mean over about ten jobs."""
        with self._lock:
            mean = seconds if self._mean_seconds is None else self._mean_seconds
            self._mean_seconds = mean + 0.1 * (seconds - mean)

    def _run(self, work: Callable[[Ticket], T], ticket: Ticket, measured: bool) -> T:
        ticket.check()
        started = time.monotonic()
        with self._lock:
            self.running += 1
        try:
            result = work(ticket)
            if measured:
                self._note(time.monotonic() - started)
            return result
        finally:
            with self._lock:
                self.running -= 1

    def _retry_after(self) -> int:
        """Whole seconds after which a large part of the queue should be done."""
        ahead = (self._mean_seconds or 1.0) * len(self._admitted) / self.limits.workers / 2
        return min(max(math.ceil(ahead), 1), _LONGEST_RETRY)

    def close(self) -> None:
        """Stop all jobs; running ones end at their next report of progress."""
        for ticket in list(self._admitted):
            ticket.stop()
        self._pool.shutdown(wait=False, cancel_futures=True)


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
