"""Runs a method in its own process, so that its time and memory are measured separately."""

from __future__ import annotations

import logging
import multiprocessing
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from gatefill.errors import ConfigError, GatefillError
from gatefill.evaluation.cases import Case
from gatefill.evaluation.contestants import Contestant
from gatefill.evaluation.metrics.base import Mask, Pixels
from gatefill.parallel import peak_memory


@dataclass(frozen=True)
class FilledCase:
    """The output for one case."""

    output: Pixels
    seconds: float | None  # time of a warm call; None for fills of other programs
    peak_bytes: int | None  # peak memory of the process so far


class FillFailed(Exception):  # noqa: N818 - says what happened, as a name
    """A method could not fill a case; the comparison continues."""


class Worker:
    """The process of one method, started at the first case and restarted after a crash."""

    def __init__(self, contestant: Contestant) -> None:
        self.contestant = contestant
        self.idle_bytes: int | None = None  # memory of the process before the method was loaded
        self._process: Any = None
        self._pipe: Connection | None = None
        self._warm = False

    def open(self) -> None:
        """Start the process and load the method.

        Raises the errors of loading it: GatefillError, FileNotFoundError, MissingExtra and others.
        """
        # A new interpreter, not a fork, which would start with this process's memory.
        context = multiprocessing.get_context("spawn")
        self._pipe, far = context.Pipe()
        self._process = context.Process(target=_serve, args=(self.contestant, far), daemon=True)
        self._process.start()
        far.close()
        try:
            self.idle_bytes = self._answer()
        except FillFailed as error:
            raise ConfigError(
                f"{self.contestant.label} cannot be loaded: {error}",
                code="compare.not_loaded",
                method=self.contestant.label,
                reason=str(error),
            ) from error
        self._warm = False

    def fill_case(self, case: Case) -> FilledCase:
        """Fill a case; see `fill`."""
        return self.fill(case.given, case.mask)

    def fill(self, given: Pixels, mask: Mask) -> FilledCase:
        """Fill one case. The first call of a process is repeated, and only the second one is timed.

        Raises FillFailed if the method raises an error or its process ends.
        """
        if self._pipe is None:
            self.open()
        if not self._warm:
            self._ask(given, mask)
            self._warm = True
        output, seconds, peak = self._ask(given, mask)
        return FilledCase(output, seconds, peak)

    def _ask(self, given: Pixels, mask: Mask) -> Any:
        assert self._pipe is not None
        with suppress(OSError):  # the process has ended; `_answer` reports how
            self._pipe.send((given, mask))
        return self._answer()

    def _answer(self) -> Any:
        assert self._pipe is not None
        try:
            good, answer = self._pipe.recv()
        except (EOFError, OSError):
            self._process.join(10)
            status = self._process.exitcode
            self.close()
            hint = ", out of memory perhaps" if status == -9 else ""
            raise FillFailed(f"its process ended with status {status}{hint}") from None
        if good:
            return answer
        if isinstance(answer, str):
            raise FillFailed(answer)
        self.close()
        raise answer

    def close(self) -> None:
        """End the process."""
        if self._pipe is not None:
            self._pipe.close()
            self._pipe = None
        if self._process is not None:
            self._process.join(1)
            if self._process.is_alive():
                self._process.kill()
                self._process.join()
            self._process = None


def _serve(contestant: Contestant, pipe: Connection) -> None:
    """Run in the process: load the method, then answer until the pipe is closed."""
    # Ctrl-C is handled by the parent, which closes the pipe.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Otherwise warnings about masks would be logged for each of thousands of cases.
    logging.getLogger("gatefill").setLevel(logging.ERROR)
    idle = peak_memory()
    assert contestant.open is not None
    try:
        inpaint = contestant.open()
    except (GatefillError, OSError, ImportError) as error:
        pipe.send((False, error))
        return
    except Exception as error:
        pipe.send((False, _one_line(error)))
        return
    pipe.send((True, idle))
    while True:
        try:
            given, mask = pipe.recv()
        except (EOFError, OSError):  # the second one in the middle of a message
            return
        try:
            started = time.perf_counter()
            result = inpaint(given, mask)
            seconds = time.perf_counter() - started
            output = np.asarray(result.photo.pixels, np.uint8)
            pipe.send((True, (output, seconds, peak_memory())))
        except Exception as error:  # errors of a method are recorded, and the run continues
            pipe.send((False, _one_line(error)))


def _one_line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:500]
