"""A worker process: it reads the next photo and writes the previous one while it fills one.

`LocalExecutor` starts it with pipes in place of standard input and output. It ends when its input
is closed.
"""

from __future__ import annotations

import logging
import os
import pickle
import queue
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, BinaryIO

from gatefill.batches.items import MemoryRefusedError, Outcome, Task, failed
from gatefill.batches.job import Job
from gatefill.batches.memory import bytes_needed, resident_bytes
from gatefill.batches.work import EncodedItem, Fetched, FilledItem, Work
from gatefill.images import Photo

# What reading raises when the parent has ended, between two messages or in the middle of one.
LOST = (EOFError, pickle.UnpicklingError)


def main() -> None:
    """Exchange messages with the parent until it closes the pipe."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is handled by the parent
    # Output of libraries must not get between the messages.
    answers: BinaryIO = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    logging.getLogger("gatefill").setLevel(logging.ERROR)
    with suppress(*LOST, BrokenPipeError):
        BatchWorker(sys.stdin.buffer, answers).run()


class BatchWorker:
    """Threads for each of three steps: fetch and decode; fill; encode and write.

    Each step has one thread, or as many as the network processes photos in a batch.
    """

    def __init__(self, tasks: BinaryIO, answers: BinaryIO) -> None:
        self._tasks, self._answers = tasks, answers
        self._answering = threading.Lock()
        self._asked: queue.Queue[tuple[int, Task]] = queue.Queue()
        self._fetched: queue.Queue[Any] = queue.Queue()
        self._filled: queue.Queue[Any] = queue.Queue()
        self._grants: dict[
            int, queue.Queue[bool]
        ] = {}  # requests for memory that are not answered yet

    def run(self) -> None:
        job, limited = pickle.load(self._tasks)
        assert isinstance(job, Job)
        self._limited = limited
        try:
            self._work = Work(job)
            _ = self._work.inpainter
        except Exception as error:
            self._answer("failed", error)
            return
        self._answer("ready", resident_bytes())
        for step in (self._fetch, self._fill, self._store) * job.batch_size:
            threading.Thread(target=_or_exit(step), daemon=True).start()
        while True:
            try:
                kind, *rest = pickle.load(self._tasks)
            except LOST:
                os._exit(0)  # the next run deletes incomplete files
            if kind == "grant":
                self._grants[rest[0]].put(rest[1])
            elif kind == "end":
                self._work.manifest.close()
                self._answer("ended", None)
                os._exit(0)
            else:
                self._asked.put((rest[0], rest[1]))

    def _answer(self, kind: str, value: object) -> None:
        with self._answering:
            pickle.dump((kind, value), self._answers)
            self._answers.flush()

    def _fetch(self) -> None:
        while True:
            number, task = self._asked.get()
            found: object = task
            if task.kind != "assemble":
                found = self._work.fetch(task)
            if isinstance(found, Fetched):
                found = self._decoded(number, found)
            self._fetched.put((number, found, task.kind != "try"))

    def _decoded(self, number: int, fetched: Fetched) -> tuple[Fetched, Photo] | Outcome:
        try:
            if self._limited:
                invert = bool(self._work.job.call.get("invert_mask", False))
                needed = bytes_needed(fetched.photo, fetched.mask, invert=invert)
                self._grants[number] = queue.Queue()
                self._answer("need", (number, needed))
                if not self._granted(number):
                    raise MemoryRefusedError(
                        "expected a photo that can be filled within the memory limit, got one "
                        f"that needs about {needed >> 20} MB beside the processes themselves; a "
                        "higher limit or fewer processes leave it more",
                        megabytes=needed >> 20,
                    )
            return fetched, self._work.decode(fetched)
        except Exception as error:
            return failed(fetched.item, error, fetched.key)

    def _granted(self, number: int) -> bool:
        granted = self._grants[number].get()
        del self._grants[number]
        return granted

    def _fill(self) -> None:
        while True:
            number, found, keep = self._fetched.get()
            if isinstance(found, tuple):
                found = self._work.fill(*found)
            self._filled.put((number, found, keep))

    def _store(self) -> None:
        while True:
            number, found, keep = self._filled.get()
            if isinstance(found, FilledItem):
                found = self._work.encode(found)
            if isinstance(found, EncodedItem):
                found = self._work.store(found, keep=keep)
            elif isinstance(found, Task):
                found = self._work.assemble(found)
            elif isinstance(found, Outcome) and found.status == "failed":
                self._work.note_failure(found)
            self._answer("done", (number, found))


def _or_exit(step: Callable[[], None]) -> Callable[[], None]:
    """Let a thread's failure end the process; otherwise the parent would wait forever."""

    def run() -> None:
        try:
            step()
        except BrokenPipeError:
            os._exit(0)
        except BaseException:
            logging.getLogger(__name__).exception("a worker of the batch failed")
            os._exit(1)

    return run
