"""Work off the event loop: a bounded queue, cancelling, time limits, and pixels in flight."""

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
    """Raised inside a job whose client has left or whose time is up."""


class PixelBudget:
    """Lets photos through as long as their pixels together stay below a limit."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.in_flight = 0
        self._changed = threading.Condition()

    @contextmanager
    def hold(self, pixels: int, check: Callable[[], None]) -> Iterator[None]:
        """Wait for room for `pixels`, and keep it; `check` may raise to give up waiting.

        A photo larger than the limit gets through alone.
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
    """What a job has in hand while it works; used in its worker's thread."""

    def __init__(self, budget: PixelBudget, report: Report | None) -> None:
        self._budget = budget
        self._report = report
        self._stopped = threading.Event()

    def stop(self) -> None:
        self._stopped.set()

    def check(self) -> None:
        """Raise Stopped where nobody waits for the job any more."""
        if self._stopped.is_set():
            raise Stopped

    def progress(self, share: float) -> None:
        """Tell the client the share done, in [0, 1]; raises Stopped as `check` does."""
        self.check()
        if self._report is not None:
            self._report(share)

    @contextmanager
    def pixels(self, count: int) -> Iterator[None]:
        """Room in memory for a photo of so many pixels, waited for."""
        with self._budget.hold(count, self.check):
            yield


class QueuedJob(Generic[T]):
    """A piece of work that waits or runs."""

    def __init__(self, ticket: Ticket, future: Future[T], seconds: float) -> None:
        self._ticket = ticket
        self._future = future
        self._seconds = seconds

    def cancel(self) -> None:
        """Drop the job where it waits; where it runs, it stops at its next report of progress."""
        self._ticket.stop()
        self._future.cancel()

    async def result(self) -> T:
        """What the work returned or raised; TimeUp after the limit. Cancelled waiting cancels."""
        try:
            async with asyncio.timeout(self._seconds):
                # Shielded: a cancelled wrapper would forget a work that is still running.
                return await asyncio.shield(asyncio.wrap_future(self._future))
        except TimeoutError:
            raise TimeUp(f"the work took longer than {self._seconds:g} s") from None
        finally:
            if not self._future.done():
                self.cancel()


class Jobs:
    """Workers and the queue before them."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.budget = PixelBudget(limits.max_pixels_in_flight)
        self._pool = ThreadPoolExecutor(limits.workers, thread_name_prefix="gatefill-worker")
        self._lock = threading.Lock()
        self._admitted: set[Ticket] = set()
        self._mean_seconds = 1.0
        self.running = 0

    @property
    def waiting(self) -> int:
        """Jobs admitted that no worker has begun."""
        return max(len(self._admitted) - self.running, 0)

    def submit(self, work: Callable[[Ticket], T], report: Report | None = None) -> QueuedJob[T]:
        """Queue `work`, which a worker calls in its own thread.

        report: called in that thread with the share done.
        Raises Busy where the queue is full.
        """
        ticket = Ticket(self.budget, report)
        with self._lock:
            if len(self._admitted) >= self.limits.workers + self.limits.waiting:
                raise Busy(self._retry_after())
            self._admitted.add(ticket)
        try:
            future = self._pool.submit(self._run, work, ticket)
        except RuntimeError as error:  # the pool was closed
            self._admitted.discard(ticket)
            raise Busy(1) from error
        future.add_done_callback(lambda _: self._admitted.discard(ticket))
        return QueuedJob(ticket, future, self.limits.seconds)

    def _run(self, work: Callable[[Ticket], T], ticket: Ticket) -> T:
        ticket.check()
        started = time.monotonic()
        with self._lock:
            self.running += 1
        try:
            result = work(ticket)
            # A moving mean over about ten jobs
            self._mean_seconds += 0.1 * (time.monotonic() - started - self._mean_seconds)
            return result
        finally:
            with self._lock:
                self.running -= 1

    def _retry_after(self) -> int:
        """Whole seconds in which a good part of the queue should be done."""
        ahead = self._mean_seconds * len(self._admitted) / self.limits.workers / 2
        return min(max(math.ceil(ahead), 1), _LONGEST_RETRY)

    def close(self) -> None:
        """Stop all jobs; those that run end at their next report of progress."""
        for ticket in list(self._admitted):
            ticket.stop()
        self._pool.shutdown(wait=False, cancel_futures=True)


async def until_left(receive: Any) -> None:
    """Return when the client of an ASGI request, whose body is read, has left."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def answer(job: QueuedJob[T], receive: Any) -> T | None:
    """The job's result; None, and the job is cancelled, where its client leaves first."""
    waiting = asyncio.create_task(job.result())
    leaving = asyncio.create_task(until_left(receive))
    try:
        await asyncio.wait({waiting, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if waiting.done():
            return waiting.result()
        logger.info("a client left; its job is cancelled")
        return None
    finally:
        leaving.cancel()
        waiting.cancel()
        await asyncio.gather(leaving, waiting, return_exceptions=True)
