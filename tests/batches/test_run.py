"""Batches of files by real processes: what is filled, skipped, redone, and how they end."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

import gatefill
from gatefill.batches import BatchProgress, preview
from gatefill.batches.job import Job
from gatefill.batches.local import processes_that_pay
from gatefill.batches.memory import PROCESS, read_bytes
from gatefill.errors import ConfigError, OutputError
from tests.batches.helpers import HOLE, is_filled, mask, outputs, photo, pixels, put, run

SRC = Path(gatefill.__file__).parents[1]


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder ``in`` of four photos, and ``mask.png``."""
    monkeypatch.chdir(tmp_path)
    for number, name in enumerate(("a.png", "b.png", "sub/c.png", "sub/d.tif")):
        put(tmp_path / "in" / name, photo(number))
    put(tmp_path / "mask.png", mask())
    return tmp_path


def test_photos_are_filled_as_the_call_fills_them(photos: Path) -> None:
    seen: list[BatchProgress] = []
    found = gatefill.batch(
        "in", "out", mask="mask.png", method="patchmatch", processes=2, grow=1, watch=seen.append
    )
    assert (found.filled, found.failed, found.skipped, found.complete) == (4, 0, 0, True)
    assert sorted(outputs()) == ["a.png", "b.png", "sub/c.png", "sub/d.tif"]
    inpaint = gatefill.load("patchmatch")
    for name in outputs():
        expected = np.asarray(inpaint(Path("in") / name, "mask.png", grow=1))
        np.testing.assert_array_equal(pixels(Path("out") / name), expected)
    assert found.megapixels == pytest.approx(4 * 48 * 64 / 1e6)
    assert seen[-1].finished == seen[-1].total == 4
    assert seen[-1].photos_per_second > 0
    assert seen[-1].megapixels_per_second > 0
    assert not (photos / "out" / "errors.jsonl").exists()


@pytest.mark.usefixtures("photos")
def test_a_rerun_does_what_is_new_or_changed_and_nothing_else() -> None:
    assert run("in", mask="mask.png").filled == 4
    before = {name: (Path("out") / name).stat().st_mtime_ns for name in outputs()}
    assert run("in", mask="mask.png").skipped == 4

    put(Path("in/a.png"), photo(10))  # changed
    put(Path("in/new.png"), photo(11))
    Path("out/b.png").unlink()  # lost
    Path("out/sub/c.png").write_bytes(b"cut off")
    found = run("in", mask="mask.png")
    assert (found.filled, found.skipped) == (4, 1)
    kept = {name: (Path("out") / name).stat().st_mtime_ns for name in outputs()}
    assert [name for name in before if kept[name] == before[name]] == ["sub/d.tif"]
    assert is_filled("out/a.png", photo(10))

    assert run("in", mask="mask.png", grow=2).filled == 5, "an option"
    moved = mask().transpose(0)
    put(Path("mask.png"), moved)
    assert run("in", mask="mask.png", grow=2).filled == 5, "the mask"
    assert run("in", mask="mask.png", grow=2, device="cpu").skipped == 5, "where, not what"


@pytest.mark.usefixtures("photos")
def test_a_rerun_with_nothing_left_to_do_starts_no_process_and_loads_no_network() -> None:
    """In another interpreter, in which nothing is loaded yet; by the hybrid with its network."""
    given = "'in', 'out', mask='mask.png', processes=2"
    assert gatefill.batch("in", "out", mask="mask.png", processes=2).filled == 4
    code = f"""
import subprocess, sys
from gatefill.batches import batch
subprocess.Popen = None
assert batch({given}).skipped == 4
print(*{{"torch", "onnxruntime", "numba"}} & sys.modules.keys())
"""
    environment = os.environ | {"PYTHONPATH": os.fspath(SRC)}
    command = (sys.executable, "-c", code)
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    assert done.stdout.strip() == ""

    put(Path("in/new.png"), photo(11))
    found = gatefill.batch("in", "out", mask="mask.png", processes=2)
    assert (found.filled, found.skipped) == (1, 4)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.usefixtures("photos")
def test_processes_keep_freed_memory_unless_the_user_says_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MALLOC_ARENA_MAX", "3")
    monkeypatch.delenv("MALLOC_TRIM_THRESHOLD_", raising=False)
    seen: set[str] = set()

    def watch(_: BatchProgress) -> None:
        for children in Path("/proc/self/task").glob("*/children"):
            for child in children.read_text().split():
                seen.update(Path(f"/proc/{child}/environ").read_text().split("\0"))

    run("in", mask="mask.png", watch=watch)
    assert {"MALLOC_ARENA_MAX=3", f"MALLOC_TRIM_THRESHOLD_={64 << 20}"} <= seen
    assert "MALLOC_TRIM_THRESHOLD_" not in os.environ


@pytest.mark.usefixtures("photos")
def test_failures_are_listed_and_the_rest_goes_on() -> None:
    put(Path("in/large.png"), photo(5, (96, 64)))
    Path("in/broken.jpg").write_bytes(b"no photo")
    found = run("in", mask="mask.png", masks=None)
    assert (found.filled, found.failed, found.left, found.complete) == (4, 2, 0, False)
    assert found.errors == "out/errors.jsonl"
    lines = [json.loads(line) for line in Path("out/errors.jsonl").read_text().splitlines()]
    assert sorted(line["file"] for line in lines) == ["in/broken.jpg", "in/large.png"]
    said = {line["file"]: line for line in lines}
    assert said["in/broken.jpg"]["code"].startswith("image")
    assert "64 x 48" in said["in/large.png"]["error"]

    put(Path("in/large.png"), photo(5))  # put right
    Path("in/broken.jpg").unlink()
    again = run("in", mask="mask.png")
    assert (again.filled, again.skipped, again.failed) == (1, 4, 0)
    assert not Path("out/errors.jsonl").exists(), "of the last run only"


@pytest.mark.usefixtures("photos")
def test_fail_fast_ends_with_the_first_failure() -> None:
    Path("in/a.png").write_bytes(b"no photo")
    found = run("in", mask="mask.png", fail_fast=True)
    assert found.failed == 1
    assert found.left + found.filled == 3
    assert found.stopped is not None
    assert found.stopped.startswith("in/a.png: ")


@pytest.mark.usefixtures("photos")
def test_a_dry_run_writes_nothing() -> None:
    run("in/a.png", mask="mask.png")
    before = outputs()
    found = preview(["in/a.png", "in/b.png"], "out", mask="mask.png", method="patchmatch")
    assert found.todo == [("in/b.png", "mask.png", "b.png")]
    assert (found.skipped, found.tried) == (1, 1)
    assert found.seconds is not None
    assert found.seconds > 0
    assert outputs() == before
    two = preview("in", "elsewhere", mask="mask.png", method="patchmatch", processes=2)
    assert two.processes == 2
    assert not Path("elsewhere").exists()


@pytest.mark.usefixtures("photos")
def test_a_folder_of_something_else_is_not_written_into() -> None:
    put(Path("precious/a.png"), photo(9))
    before = outputs("precious")
    with pytest.raises(OutputError, match="precious with other files"):
        run("in", output="precious", mask="mask.png")
    assert outputs("precious") == before
    with pytest.raises(OutputError, match=r"got a file: mask\.png"):
        run("in", output="mask.png", mask="mask.png")


@pytest.mark.usefixtures("photos")
def test_options_are_those_of_the_call() -> None:
    with pytest.raises(ConfigError, match="unknown option 'gorw' of a batch; did you mean grow"):
        run("in", mask="mask.png", gorw=2)
    with pytest.raises(ValueError, match="no_such_method"):
        run("in", mask="mask.png", method="no_such_method")
    assert not Path("out/a.png").exists()


@pytest.mark.usefixtures("photos")
def test_several_holes_of_one_photo_and_its_own_alpha() -> None:
    put(Path("in/a_mask1.png"), mask())
    put(Path("in/a_mask2.png"), mask().transpose(0))
    clear = photo(3).convert("RGBA")
    alpha = np.full((48, 64), 255, np.uint8)
    alpha[HOLE] = 0
    clear.putalpha(PIL.Image.fromarray(alpha))
    put(Path("in/sub/c.png"), clear)
    found = run("in")
    assert sorted(outputs()) == ["a_mask1.png", "a_mask2.png", "errors.jsonl", "sub/c.png"]
    assert found.failed == 2, "b and d have neither mask nor alpha"
    assert outputs()["a_mask1.png"] != outputs()["a_mask2.png"]


@pytest.mark.usefixtures("photos")
def test_a_photo_that_ends_its_process_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    # A site hook in the workers stands for what a damaged library or the kernel may do.
    Path("site").mkdir()
    Path("site/sitecustomize.py").write_text(
        "import os, sys, threading, time\n"
        "def watch():\n"
        "    module = None\n"
        "    while module is None:\n"
        "        time.sleep(0.001)\n"
        "        module = sys.modules.get('gatefill.batches.work')\n"
        "        module = module if hasattr(module, 'Work') else None\n"
        "    fetch = module.Work.fetch\n"
        "    def deadly(self, task):\n"
        "        if task.item.name == 'in/b.png':\n"
        "            os.kill(os.getpid(), 9)\n"
        "        return fetch(self, task)\n"
        "    module.Work.fetch = deadly\n"
        "threading.Thread(target=watch, daemon=True).start()\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(Path("site").resolve()))
    found = run("in", mask="mask.png", processes=2)
    assert (found.filled, found.failed) == (3, 1)
    (failure,) = found.failures
    assert (failure.name, failure.code) == ("in/b.png", "batch.worker")
    assert "status -9" in failure.text


def test_memory_decides_how_many_processes() -> None:
    assert processes_that_pay(1) == 1
    assert processes_that_pay(PROCESS) == 1
    assert processes_that_pay(None, "cuda") == 1
    assert processes_that_pay(1 << 50) == len(os.sched_getaffinity(0))
    assert [read_bytes(text) for text in ("7", "2K", "1.5 GiB", "3mb")] == [
        7,
        2048,
        3 << 29,
        3 << 20,
    ]
    with pytest.raises(ConfigError, match="such as 4GB, got 'lots'"):
        read_bytes("lots")


@pytest.mark.usefixtures("photos")
def test_a_photo_beyond_the_memory_limit_is_said_and_not_tried() -> None:
    put(Path("in/huge.png"), photo(1, (4000, 4000)))
    put(Path("m/huge.png"), mask((4000, 4000)))
    for name in ("a", "b"):
        put(Path(f"m/{name}.png"), mask())
    Path("in/sub/c.png").unlink()
    Path("in/sub/d.tif").unlink()
    found = run("in", masks="m", memory_limit=PROCESS + (80 << 20))
    assert (found.filled, found.failed) == (2, 1)
    (failure,) = found.failures
    assert (failure.name, failure.code) == ("in/huge.png", "batch.memory")
    with pytest.raises(ConfigError, match="a memory limit of at least"):
        run("in", masks="m", memory_limit="1MB")


def test_a_killed_run_goes_on_to_the_same_outputs(photos: Path) -> None:
    for number in range(12):
        put(photos / "in" / f"more{number}.png", photo(20 + number))
    run("in", output="undisturbed", mask="mask.png")
    code = (
        "import gatefill; gatefill.batch('in', 'out', mask='mask.png', method='patchmatch', "
        "processes=2)"
    )
    # No guard for __main__ is needed: the workers do not run the caller's script.
    child = subprocess.Popen(
        [sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": str(SRC)}
    )
    deadline = time.monotonic() + 60
    while len(outputs()) < 3 and time.monotonic() < deadline:
        time.sleep(0.005)
    child.send_signal(signal.SIGKILL)
    child.wait()
    done = len(outputs())
    assert done >= 3
    time.sleep(0.5)  # the workers end when their pipe does
    again = run("in", mask="mask.png")
    assert again.skipped >= done - 2, "at most the photos of that moment are filled again"
    assert again.complete
    assert outputs() == outputs("undisturbed")
    assert not [*Path("out/.gatefill/parts").iterdir()]


@pytest.mark.usefixtures("photos")
def test_two_batches_do_not_write_into_one_folder() -> None:
    import fcntl

    run("in/a.png", mask="mask.png")
    with Path("out/.gatefill/lock").open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(OutputError, match="another batch is writing into out"):
            run("in", mask="mask.png")
    assert run("in", mask="mask.png").complete


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.usefixtures("photos")
def test_a_process_has_one_thread_for_each_step() -> None:
    """OpenCV's own, one per core, were in each other's way."""
    seen: list[int] = []

    def watch(_: BatchProgress) -> None:
        for each in Path("/proc/self/task").glob("*/children"):
            for pid in each.read_text().split():
                process = Path("/proc", pid)
                if b"batches.worker" in (process / "cmdline").read_bytes():
                    seen.append(len([*(process / "task").iterdir()]))

    gatefill.batch("in", "out", mask="mask.png", method="patchmatch", processes=1, watch=watch)
    assert max(seen) == 4  # it receives, reads, fills and writes


@pytest.mark.parametrize("read", [0, 1, 2])
@pytest.mark.parametrize(
    ("process", "first"),
    [
        (
            "from gatefill.batches.worker import main; main()",
            (Job("out", {"method": "no such method"}), False),
        ),
        ("from gatefill.images.apart import serve; serve()", (1000,)),
    ],
)
def test_processes_end_quietly_with_the_one_that_started_them(
    process: str, first: tuple[object, ...], read: int
) -> None:
    """Killed before, in, or after its first message: no traceback of a process nobody knows."""
    message = pickle.dumps(first)
    sent = message[: len(message) * read // 2]
    done = subprocess.Popen(
        [sys.executable, "-c", process],
        env=os.environ | {"PYTHONPATH": str(SRC)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert done.stdin is not None
    assert done.stdout is not None
    assert done.stderr is not None
    done.stdout.close()
    done.stdin.write(sent)
    done.stdin.close()
    assert (done.wait(60), done.stderr.read()) == (0, b"")
