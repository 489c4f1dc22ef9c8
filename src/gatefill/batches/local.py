"""Runs a batch on one machine, in a few warm processes with pipelined steps."""

from __future__ import annotations

import os
import pickle
import queue
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from gatefill.batches.items import Outcome, Task
from gatefill.batches.job import Job
from gatefill.batches.memory import FIRST, PROCESS, ROOM, SHARE, available_bytes, available_cores
from gatefill.batches.work import Work
from gatefill.errors import ConfigError, GatefillError

IN_FLIGHT = 3  # tasks per process for each photo of a network batch: one in each step
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "OPENCV_FOR_THREADS_NUM",
)
# For glibc: one heap for the threads of all steps that keeps what a photo frees for the next one.
# It saves 3 to 15 % of the time: pages are not returned to the system and asked for again.
ALLOCATION = {
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": str(4 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(64 << 20),
}
PATIENCE = 10.0  # seconds for a process to end before it is killed


class WorkerLostError(GatefillError):
    """The process that worked on a photo ended, twice."""

    default_code = "batch.worker"


def processes_that_pay(memory_limit: int | None, device: str = "cpu") -> int:
    """Return the number of processes: one per core as far as memory allows, one for a GPU."""
    if device != "cpu":
        return 1
    memory = memory_limit
    if memory is None:
        free = available_bytes()
        memory = None if free is None else int(free * SHARE)
    if memory is None:
        return available_cores()
    return max(min(available_cores(), memory // (PROCESS + ROOM)), 1)


@dataclass
class _Process:
    """A worker process, as seen by the parent."""

    child: subprocess.Popen[bytes]
    ready: bool = False
    tasks: dict[int, Task] = field(default_factory=dict)
    alone: bool = False  # whether it works on a task that has crashed a process before

    def send(self, *message: object) -> None:
        assert self.child.stdin is not None
        with suppress(OSError):  # the process has ended; the thread that reads from it reports it
            pickle.dump(message, self.child.stdin)
            self.child.stdin.flush()


class LocalExecutor:
    """Runs tasks in worker processes, which stay warm between calls of `run`.

    They start with the first task that needs one: a batch with nothing left to do loads no network.

    Each process has several tasks at a time, one in each of its steps (read, fill, write). A thread
    per process receives its messages: ``"ready"`` (the method is loaded), ``"failed"`` (the method
    cannot be loaded), ``"need"`` (memory for a photo), ``"done"`` (the outcome of a task). If a
    process ends, its tasks are tried again, one at a time in an idle process; a task whose process
    ends again has failed.
    """

    def __init__(
        self, job: Job, *, processes: int, threads: int = 1, memory_limit: int | None = None
    ) -> None:
        """threads: per process. memory_limit: bytes that all processes together may use.

        Raises ConfigError if the memory is not enough for one process.
        """
        if memory_limit is not None and memory_limit < PROCESS:
            raise ConfigError(
                f"expected a memory limit of at least {PROCESS >> 20} MB, which one process "
                f"needs, got {memory_limit >> 20} MB",
                code="config.memory",
            )
        self._job, self._threads = job, threads
        self._in_flight = IN_FLIGHT * job.batch_size
        self._memory = _Budget(memory_limit, processes)
        self._messages: queue.Queue[tuple[_Process, str, Any]] = queue.Queue()
        self._again: deque[tuple[int, Task]] = deque()  # tasks to try once more
        self._work = Work(job)  # its inpainter is never used here
        self._processes: list[_Process] = []
        self.count = processes  # number of processes once they have started

    def _start(self) -> _Process:
        # A new interpreter, not multiprocessing's spawn: that would run the caller's script again,
        # and could not set the threads of libraries before they are loaded.
        path = f"import sys; sys.path[:] = {sys.path!r}"
        code = f"{path}; from gatefill.batches.worker import main; main()"
        child = subprocess.Popen(
            [sys.executable, "-c", code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=ALLOCATION | os.environ | dict.fromkeys(THREAD_VARIABLES, str(self._threads)),
        )
        process = _Process(child)
        threading.Thread(target=self._listen, args=(process,), daemon=True).start()
        assert child.stdin is not None
        with suppress(OSError):
            pickle.dump((self._job, self._memory.limited), child.stdin)
            child.stdin.flush()
        return process

    def _listen(self, process: _Process) -> None:
        assert process.child.stdout is not None
        while True:
            try:
                kind, value = pickle.load(process.child.stdout)
            except (EOFError, OSError, pickle.UnpicklingError):
                self._messages.put((process, "lost", None))
                return
            self._messages.put((process, kind, value))

    def run(self, tasks: Iterable[Task]) -> Iterator[Outcome]:
        """Yield the outcome of each task as it completes.

        Raises the errors of loading the method.
        """
        left: Iterator[Task] = iter(tasks)
        if not self._processes:
            changed = yield from self._unchanged(left)
            if not changed:
                return
            left = chain(changed, left)
            self._processes = [self._start() for _ in range(self.count)]
        waiting = enumerate(left)
        more = True
        while True:
            more = self._hand_out(waiting, more)
            if not more and not self._again and not any(each.tasks for each in self._processes):
                return
            process, kind, value = self._messages.get()
            if kind == "ready":
                process.ready = True
                self._memory.started(process, value)
            elif kind == "failed":
                raise value
            elif kind == "need":
                self._memory.ask(process, *value)
            elif kind == "done":
                number, outcome = value
                process.tasks.pop(number, None)
                process.alone = process.alone and bool(process.tasks)
                self._memory.release(process, number)
                yield outcome
            elif kind == "lost":
                yield from self._replaced(process)

    def _unchanged(self, tasks: Iterator[Task]) -> Generator[Outcome, None, list[Task]]:
        """Yield the outcomes of tasks that are done already, up to the first one that is not.

        This needs no process, so that resuming a finished batch is fast.

        Returns the tasks that were taken from the iterator and are not done.
        """
        reading: deque[tuple[Task, Future[Outcome | None]]] = deque()
        changed: list[Task] = []
        with ThreadPoolExecutor(self.count) as threads:
            while True:
                while not changed and len(reading) < 2 * self.count:
                    task = next(tasks, None)
                    if task is None:
                        break
                    reading.append((task, threads.submit(self._work.done_before, task)))
                if not reading:
                    return changed
                task, found = reading.popleft()
                outcome = found.result()
                if outcome is None:
                    changed.append(task)
                else:
                    yield outcome

    def _hand_out(self, waiting: Iterator[tuple[int, Task]], more: bool) -> bool:
        """Give every process its tasks; return whether there may be more."""
        for process in self._processes:
            if process.ready and not process.tasks and self._again:
                process.alone = True
                self._give(process, *self._again.popleft())
        while more:
            free = [each for each in self._processes if each.ready and not each.alone]
            free = [each for each in free if len(each.tasks) < self._in_flight]
            if not free or self._again:  # tasks to be tried again need an idle process
                break
            found = next(waiting, None)
            if found is None:
                return False
            self._give(min(free, key=lambda each: len(each.tasks)), *found)
        return more

    def _give(self, process: _Process, number: int, task: Task) -> None:
        process.tasks[number] = task
        process.send("task", number, task)

    def _replaced(self, process: _Process) -> Iterator[Outcome]:
        """Start a process in place of one that ended; its tasks are tried once more, one by one."""
        status = process.child.wait()
        self._memory.forget(process)
        lost = list(process.tasks.items())
        self._processes.remove(process)
        if not process.ready:
            raise WorkerLostError(
                f"a process of the batch ended with status {status} before its first photo"
            )
        if process.alone:
            hint = ", out of memory perhaps" if status == -9 else ""
            text = f"the process that filled it ended with status {status}, twice{hint}"
            yield from (
                Outcome(task.item, "failed", code=WorkerLostError.default_code, text=text)
                for _, task in lost
            )
        else:
            self._again.extend(lost)
        self._processes.append(self._start())

    def close(self) -> None:
        """End the processes, idle ones by closing their input."""
        for process in self._processes:
            if process.ready and not process.tasks:
                process.send("end")
            else:
                process.child.kill()
        for process in self._processes:
            assert process.child.stdin is not None
            try:
                process.child.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.child.kill()
                process.child.wait()
            with suppress(OSError):
                process.child.stdin.close()
        self._processes = []


class _Budget:
    """Memory for photos: all processes together stay below the limit."""

    def __init__(self, limit: int | None, processes: int) -> None:
        self.limited = limit is not None
        self._left = (limit or 0) - processes * PROCESS
        self._most = self._left
        self._granted: dict[tuple[int, int], int] = {}
        self._resident: dict[int, int] = {}  # memory of processes before their first photo
        self._waiting: deque[tuple[_Process, int, int]] = deque()

    def started(self, process: _Process, resident: int) -> None:
        """Correct the memory reserved for a process by what it took at its start."""
        if resident:
            self._resident[id(process)] = resident
            self._left += PROCESS - FIRST - resident
            self._most += PROCESS - FIRST - resident

    def ask(self, process: _Process, number: int, needed: int) -> None:
        self._waiting.append((process, number, needed))
        self._answer()

    def _answer(self) -> None:
        # In order of the requests, so that small photos do not delay a large one.
        while self._waiting:
            process, number, needed = self._waiting[0]
            if needed > self._most:
                process.send("grant", number, False)
            elif needed <= self._left:
                self._left -= needed
                self._granted[id(process), number] = needed
                process.send("grant", number, True)
            else:
                return
            self._waiting.popleft()

    def release(self, process: _Process, number: int) -> None:
        self._left += self._granted.pop((id(process), number), 0)
        self._answer()

    def forget(self, process: _Process) -> None:
        """Release all memory of a process that has ended."""
        if resident := self._resident.pop(id(process), 0):
            self._left -= PROCESS - FIRST - resident
            self._most -= PROCESS - FIRST - resident
        self._waiting = deque(each for each in self._waiting if each[0] is not process)
        for key in [key for key in self._granted if key[0] == id(process)]:
            self._left += self._granted.pop(key)
        self._answer()
