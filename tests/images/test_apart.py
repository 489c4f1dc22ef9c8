"""Large files that are read and written in a helper process."""

from __future__ import annotations

import os
import signal
from typing import Any

import numpy as np
import pytest

from gatefill.images import ImageError, Photo, apart, read_photo
from gatefill.stopping import stoppable
from tests.images.helpers import noise as noise_of

posix = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")


class Stop(Exception):  # noqa: N818 - says what happened, as a name
    """What stops the work."""


def noise(height: int, width: int) -> Photo:
    return Photo(noise_of(height, width, 3))


@pytest.mark.parametrize("format", ["png", "webp", "avif", "tiff", "jpg"])
def test_large_files_are_the_same_from_a_helper_process(
    format: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = noise(60, 80)
    alone = photo.to_bytes(format)
    monkeypatch.setattr(apart, "LARGE", 100)
    with stoppable(lambda: None):
        assert photo.to_bytes(format) == alone
        again = read_photo(alone)
    assert again.meta.format is not None
    np.testing.assert_array_equal(again.pixels, read_photo(alone).pixels)
    assert again.meta.warnings == read_photo(alone).meta.warnings


def test_errors_of_a_helper_process_are_those_of_this_one(monkeypatch: pytest.MonkeyPatch) -> None:
    data = noise(60, 80).to_bytes("jpg")[:2000]
    with pytest.raises(ImageError) as expected:
        read_photo(data)
    monkeypatch.setattr(apart, "LARGE", 100)
    with stoppable(lambda: None), pytest.raises(ImageError) as found:
        read_photo(data)
    assert (str(found.value), found.value.code) == (str(expected.value), expected.value.code)


@posix
def test_a_file_that_kills_its_decoder_is_refused() -> None:
    with stoppable(lambda: None):
        with pytest.raises(ImageError, match="decoder or encoder") as found:
            apart.call(_dies, apart.LARGE)
        assert found.value.code == "image.crash"
        # The next call gets another process.
        assert apart.call(_answers, apart.LARGE, 20) == 21


def test_only_large_files_that_can_be_cancelled_go_to_a_helper() -> None:
    own = os.getpid()
    assert apart.call(_process, apart.LARGE) == own
    with stoppable(lambda: None):
        assert apart.call(_process, apart.LARGE - 1) == own
        first = apart.call(_process, apart.LARGE)
        assert first != own
        with pytest.raises(ZeroDivisionError):
            apart.call(_divides, apart.LARGE, 0)
        assert apart.call(_divides, apart.LARGE, 4) == 25
        # One process does it all, one call after the other.
        assert apart.call(_process, apart.LARGE) == first


def test_a_helper_can_be_started_before_it_is_needed() -> None:
    with stoppable(lambda: None):
        idle = apart.call(_process, apart.LARGE)
        apart.warm_up()
        warm = apart.call(_process, apart.LARGE)
    assert warm not in (idle, os.getpid())


@posix
def test_a_helper_that_ended_while_idle_is_replaced() -> None:
    with stoppable(lambda: None):
        idle = apart.call(_process, apart.LARGE)
        os.kill(idle, signal.SIGKILL)
        os.waitid(os.P_PID, idle, os.WEXITED | os.WNOWAIT)  # until it has ended
        assert apart.call(_process, apart.LARGE) != idle
        assert apart.call(_answers, apart.LARGE, 3) == 4


@posix
def test_a_stop_ends_the_helper() -> None:
    asked = []

    def ask() -> None:
        asked.append(1)
        if len(asked) == 3:
            raise Stop

    with stoppable(lambda: None):
        before = apart.call(_process, apart.LARGE)
    with stoppable(ask), pytest.raises(Stop):
        apart.call(_waits, apart.LARGE)
    with pytest.raises(ProcessLookupError):
        os.kill(before, 0)
    asked.clear()

    def refuse() -> None:
        raise Stop

    with stoppable(refuse), pytest.raises(Stop):
        apart.call(_process, apart.LARGE)


@pytest.mark.parametrize("count", [0, 1, 3_000_001])
def test_arrays_and_what_libraries_print_do_not_mix(count: int) -> None:
    array = np.arange(count, dtype=np.uint16)
    with stoppable(lambda: None):
        found = apart.call(_prints, apart.LARGE, array, {"also": array[::-1]})
    assert (found[0] == array).all()
    assert (found[1]["also"] == array[::-1]).all()
    assert found[0].dtype == np.uint16


def _dies() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _answers(number: int) -> int:
    return number + 1


def _process() -> int:
    return os.getpid()


def _divides(number: int) -> float:
    return 100 / number


def _waits() -> None:
    signal.pause()


def _prints(*values: Any) -> Any:
    os.write(1, b"a library says this")
    return values
