"""Methods in processes of their own: memory, crashes, errors."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from gatefill.evaluation.worker import FillFailed, Worker
from gatefill.masks import MASKS
from gatefill.parallel import peak_memory
from tests.evaluation.helpers import odd, texture

PHOTO = texture(0, 48, 48)
HOLE = MASKS["center"](48, 48, 0)
SMALL = np.zeros((48, 48), bool)
SMALL[20:24, 20:24] = True


@contextmanager
def working(kind: str) -> Iterator[Worker]:
    worker = Worker(odd(kind))
    try:
        yield worker
    finally:
        worker.close()


def test_memory_is_that_of_the_process() -> None:
    with working("hungry") as hungry, working("modest") as modest:
        greedy, plain = (worker.fill(PHOTO, HOLE) for worker in (hungry, modest))
        assert hungry.idle_bytes is not None
        assert greedy.peak_bytes is not None
        assert plain.peak_bytes is not None
        assert greedy.peak_bytes - plain.peak_bytes > 250e6
        assert hungry.idle_bytes < 150e6, "not what this process holds"
    assert peak_memory() is not None


def test_a_fill_comes_back_with_its_time() -> None:
    with working("modest") as worker:
        filled = worker.fill(PHOTO, HOLE)
    assert (filled.output[HOLE] == 128).all()
    np.testing.assert_array_equal(filled.output[~HOLE], PHOTO[~HOLE])
    assert 0 < filled.seconds < 5


def test_an_error_is_one_line_and_the_process_goes_on() -> None:
    with working("raises") as worker:
        for _ in range(2):
            with pytest.raises(FillFailed, match=r"^RuntimeError: no idea what to do$"):
                worker.fill(PHOTO, HOLE)


def test_a_process_that_dies_is_started_again() -> None:
    with working("dies") as worker:
        with pytest.raises(FillFailed, match="its process ended with status 7"):
            worker.fill(PHOTO, HOLE)
        assert (worker.fill(PHOTO, SMALL).output[SMALL] == 128).all()
        os.kill(worker._process.pid, signal.SIGKILL)
        with pytest.raises(FillFailed, match="status -9, out of memory perhaps"):
            worker.fill(PHOTO, SMALL)
        assert worker.fill(PHOTO, SMALL).seconds > 0


def test_a_method_that_cannot_be_loaded_says_so() -> None:
    with working("unloadable") as worker, pytest.raises(ValueError, match="these are no weights"):
        worker.open()
