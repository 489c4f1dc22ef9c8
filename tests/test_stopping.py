"""Work that is stopped from outside, and files read and written in a helper process."""

from __future__ import annotations

import io
import os
import signal
import threading
import time
from collections.abc import Callable

import numpy as np
import PIL.Image
import pytest

from gatefill.images import ImageError, apart, read_photo
from gatefill.images.photo import Photo
from gatefill.inpainter import Inpainter
from gatefill.methods.patchmatch import PatchMatch
from gatefill.stopping import stop_point, stoppable


class Stop(Exception):  # noqa: N818 - says what happened, as a name
    """What stops the work."""


def after(seconds: float) -> Callable[[], None]:
    end = time.monotonic() + seconds

    def ask() -> None:
        if time.monotonic() > end:
            raise Stop

    return ask


def noise(height: int, width: int) -> Photo:
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Photo(pixels)


def helpers() -> list[int]:
    """The helper processes of this one."""
    task = f"/proc/self/task/{threading.get_native_id()}/children"
    with open(task) as file:  # noqa: PTH123 - of the kernel
        return [int(each) for each in file.read().split()]


def test_a_stop_point_asks_whom_its_thread_belongs_to() -> None:
    asked: list[str] = []
    stop_point()
    with stoppable(lambda: asked.append("outer")):
        with stoppable(lambda: asked.append("inner")):
            stop_point()
            other = threading.Thread(target=stop_point)
            other.start()
            other.join()
        with stoppable(None):
            stop_point()
        stop_point()
    stop_point()
    assert asked == ["inner", "outer"]


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


@pytest.mark.skipif(not os.path.isdir("/proc"), reason="looks for processes in /proc")  # noqa: PTH112
def test_reading_and_writing_stop_at_once_and_leave_no_process() -> None:
    photo = noise(2000, 2000)
    for format in ("webp", "avif", "png"):
        ask = after(0.5)
        started = time.monotonic()
        with stoppable(ask), pytest.raises(Stop):
            photo.to_bytes(format)  # takes seconds
        assert time.monotonic() - started < 1.5, format
    file = io.BytesIO()
    PIL.Image.fromarray(np.zeros((6000, 8000, 3), np.uint8)).save(file, "PNG", compress_level=1)
    started = time.monotonic()
    with stoppable(after(0.0)), pytest.raises(Stop):
        read_photo(file.getvalue())
    assert time.monotonic() - started < 1.0


def test_a_file_that_kills_its_decoder_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apart, "LARGE", 100)
    with stoppable(lambda: None), pytest.raises(ImageError, match="brought its decoder"):
        apart.call(_dies, 1000)
    with stoppable(lambda: None):  # the next call gets another process
        assert apart.call(_answers, 1000, 20) == 21


def _dies() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _answers(number: int) -> int:
    return number + 1


def test_what_progress_raises_stops_a_fill_in_stages_that_report_nothing() -> None:
    """Grouping thousands of holes reports no share of its own; progress is asked all the same."""
    photo = noise(3000, 4000)
    mask = np.zeros((3000, 4000), bool)
    mask[::8, ::8] = True
    asked: list[float] = []

    def progress(share: float) -> None:
        asked.append(share)
        raise Stop

    with pytest.raises(Stop):
        Inpainter(PatchMatch())(photo, mask, progress=progress)
    assert asked == [0.0]


def test_progress_may_call_an_inpainter_while_a_fill_is_asked_to_go_on() -> None:
    photo, mask = noise(40, 40), np.zeros((40, 40), bool)
    mask[10:20, 10:20] = True
    inpaint = Inpainter(PatchMatch())
    inner: list[int] = []

    def progress(_: float) -> None:
        if len(inner) < 3:
            time.sleep(0.11)  # long enough for another stop point to ask
            inner.append(1)
            inpaint(photo, mask)

    inpaint(photo, mask, progress=progress)
    assert len(inner) == 3
