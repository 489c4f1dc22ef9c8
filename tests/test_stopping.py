"""Work that is stopped from outside, and files read and written in a helper process."""

from __future__ import annotations

import io
import os
import threading
import time
from collections.abc import Callable

import cv2
import numpy as np
import PIL.Image
import pytest

from gatefill.geometry import component_boxes
from gatefill.images import mask_warnings, read_photo
from gatefill.images.photo import Photo
from gatefill.inpainter import Inpainter
from gatefill.methods import pyramid
from gatefill.methods.base import composite
from gatefill.methods.patchmatch import PatchMatch
from gatefill.parallel import Threads
from gatefill.stopping import STRIP, left_behind, stop_point, stoppable


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


def test_work_that_is_stopped_leaves_a_call_into_a_library_behind() -> None:
    go_on, ended = threading.Event(), threading.Event()

    def call() -> None:
        go_on.wait(10)
        ended.set()

    with stoppable(after(0.1)), pytest.raises(Stop):
        left_behind(call, 2 * STRIP)
    assert not ended.is_set()
    go_on.set()
    assert ended.wait(10)


def test_the_outcome_of_a_call_into_a_library_is_that_of_the_call() -> None:
    def fail() -> None:
        raise ValueError("of the call")

    with stoppable(lambda: None):
        assert left_behind(threading.get_ident, STRIP) == threading.get_ident(), "a small plane"
        assert left_behind(threading.get_ident) != threading.get_ident()
        with pytest.raises(ValueError, match="of the call"):
            left_behind(fail)
    assert left_behind(threading.get_ident) == threading.get_ident(), "nobody may stop it"


def test_what_another_thread_does_for_stopped_work_stops_as_well() -> None:
    ended = threading.Event()

    def work() -> None:
        try:
            while True:
                stop_point()
                time.sleep(0.01)
        finally:
            ended.set()

    with stoppable(after(0.1)), pytest.raises(Stop), Threads(2) as threads:
        threads.begin(work)()
    assert ended.is_set()


LARGE = {
    "as floats": lambda pixels, _: Photo(pixels).rgb(),
    "as stored": lambda pixels, _: Photo(pixels).quantized(np.float32(pixels)),
    "composed": lambda pixels, mask: composite(pixels, pixels, mask),
    "shrunk": lambda pixels, mask: pyramid.shrink(np.float32(pixels), 300, 400, mask),
    "halved": lambda pixels, mask: pyramid.halve(np.float32(pixels), mask),
}


@pytest.mark.parametrize("step", LARGE)
def test_a_large_photo_is_worked_through_in_strips(step: str) -> None:
    pixels, mask = noise(3000, 2000).pixels, np.zeros((3000, 2000), bool)
    mask[1000:2000, 500:1500] = True
    asked = []
    with stoppable(lambda: asked.append(1)):
        LARGE[step](pixels, mask)
    assert len(asked) >= 5


def test_strips_make_no_difference() -> None:
    large = noise(2100, 1100)
    part = Photo(large.pixels[1040:1060])  # across two strips
    np.testing.assert_array_equal(large.rgb()[1040:1060], part.rgb())
    floats = large.rgb() * np.float32(1.2) - np.float32(0.1)
    np.testing.assert_array_equal(
        large.quantized(floats)[1040:1060], part.quantized(floats[1040:1060])
    )
    known = np.random.default_rng(1).random((2100, 1100)) < 0.5
    whole = cv2.resize(floats * known[..., None], (300, 500), interpolation=cv2.INTER_AREA)
    np.testing.assert_allclose(pyramid.shrink(floats, 500, 300, known), whole, atol=1e-6)


@pytest.mark.parametrize("look", [component_boxes, lambda mask: mask_warnings(_gray(mask), mask)])
def test_what_goes_through_a_large_mask_at_once_can_be_stopped(
    look: Callable[[np.ndarray], object],
) -> None:
    mask = np.random.default_rng(0).random((4000, 6000)) < 0.4
    look(mask[:99, :99])
    started = time.thread_time()  # of this thread alone, whatever else the machine does
    with stoppable(after(0.05)), pytest.raises(Stop):
        [look(mask) for _ in range(100)]
    assert time.thread_time() - started < 0.5


def _gray(mask: np.ndarray) -> Photo:
    return Photo(np.full((*mask.shape, 1), 128, np.uint8))


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


def test_a_run_does_not_wait_for_threads_that_have_other_work() -> None:
    done: list[int] = []

    def kernel(start: int, stop: int) -> None:
        done.extend(range(start, stop))

    goes_on = threading.Event()
    with Threads(2) as threads:
        waiting = [threads.begin(goes_on.wait, 60) for _ in range(2)]
        begun = time.monotonic()
        threads.run(kernel, 1000)
        took = time.monotonic() - begun
        goes_on.set()
        assert [each() for each in waiting] == [True, True]
    assert sorted(done) == [*range(1000)]
    assert took < 30
