"""The queue of jobs: memory, small jobs that pass large ones, stopping."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

pytest.importorskip("fastapi")

from gatefill.server.jobs import Busy, Jobs, Need, QueuedJob, Stopped, Ticket, TimeUp
from gatefill.server.limits import Limits

MEMORY = Limits().memory_for_jobs
LARGE = Need(MEMORY // 2, large=True)
SMALL = Need(1000)


class Shop:
    """Jobs that note when they begin and end when they are told to."""

    def __init__(self, **limits: float) -> None:
        self.jobs = Jobs(replace(Limits(workers=2, waiting=20), **limits))  # type: ignore[arg-type]
        self.begun: list[str] = []
        self.ends: dict[str, threading.Event] = {}

    def add(self, name: str, need: Need) -> QueuedJob[str]:
        self.ends[name] = threading.Event()

        def work(ticket: Ticket) -> str:
            self.begun.append(name)
            while not self.ends[name].wait(0.01):
                ticket.check()
            return name

        return self.jobs.submit(work, need=need)

    def end(self, name: str) -> None:
        self.ends[name].set()

    def wait(self, *names: str) -> None:
        assert until(lambda: sorted(self.begun) == sorted(names)), self.begun


def until(what: Callable[[], bool]) -> bool:
    end = time.monotonic() + 5
    while time.monotonic() < end:
        if what():
            return True
        time.sleep(0.01)
    return False


@pytest.fixture
def shop() -> Iterator[Shop]:
    found = Shop()
    yield found
    for end in found.ends.values():
        end.set()


def test_small_jobs_pass_large_ones(shop: Shop) -> None:
    shop.add("large", LARGE)
    shop.add("second large", LARGE)
    shop.add("small", SMALL)
    shop.wait("large", "small")
    shop.add("another", SMALL)
    shop.end("small")
    shop.wait("large", "small", "another")
    shop.end("large")
    shop.wait("large", "small", "another", "second large")


def test_jobs_wait_for_memory(shop: Shop) -> None:
    shop.add("most", Need(MEMORY - 10))
    shop.add("rest", SMALL)
    shop.add("bit", Need(5))  # fits beside the first
    shop.wait("most", "bit")
    assert shop.jobs.memory == MEMORY - 5
    shop.end("most")
    shop.wait("most", "bit", "rest")


def test_a_job_that_has_waited_long_for_memory_is_not_passed_any_more(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gatefill.server.jobs._PASSED", 0.0)
    shop.add("most", Need(MEMORY - 10))
    shop.add("rest", SMALL)
    time.sleep(0.05)
    shop.add("bit", Need(5))
    time.sleep(0.1)
    assert shop.begun == ["most"]
    shop.end("most")
    shop.wait("most", "rest", "bit")


def test_a_full_queue_refuses() -> None:
    shop = Shop(workers=1, waiting=1)
    shop.add("first", SMALL)
    shop.add("second", SMALL)
    with pytest.raises(Busy):
        shop.add("third", SMALL)
    shop.jobs.close()


def test_whoever_waits_for_a_job_that_never_asks_is_told_when_the_server_stops() -> None:
    """A job inside a library goes on; its client gets an answer, and the process may end."""
    jobs, go_on = Jobs(Limits()), threading.Event()
    stubborn = jobs.submit(lambda _: go_on.wait(20))

    async def client() -> float:
        waiting = asyncio.create_task(stubborn.result())
        await asyncio.sleep(0.1)
        started = time.monotonic()
        jobs.close()
        with pytest.raises(Stopped):
            await waiting
        return time.monotonic() - started

    assert asyncio.run(client()) < 1
    assert jobs.running == 1
    with pytest.raises(Busy):
        jobs.submit(lambda _: None)
    go_on.set()
    assert until(lambda: jobs.running == 0)


def test_a_job_over_its_time_is_stopped() -> None:
    shop = Shop(seconds=0.2)
    job = shop.add("long", SMALL)
    with pytest.raises(TimeUp):
        asyncio.run(job.result())
    assert until(lambda: shop.jobs.running == 0)


def test_a_waiting_job_that_is_canceled_never_begins(shop: Shop) -> None:
    shop.add("first", LARGE)
    second = shop.add("second", LARGE)
    second.cancel()
    shop.end("first")
    shop.add("third", LARGE)
    shop.wait("first", "third")
    assert shop.jobs.waiting == 0


def test_nothing_is_complained_of_where_nobody_wants_the_outcome(shop: Shop) -> None:
    complaints: list[str] = []

    async def leave() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: complaints.append(context["message"]))
        waiting = asyncio.create_task(shop.add("left", SMALL).result())
        await asyncio.sleep(0.05)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        del waiting
        await asyncio.sleep(0.05)
        gc.collect()

    asyncio.run(leave())
    assert not complaints
