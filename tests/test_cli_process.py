"""The command line as real processes: how quick, how light, and how it ends."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import gatefill
from gatefill.cli import run

SRC = Path(gatefill.__file__).parents[1]
PYTHON = [sys.executable, "-m", "gatefill"]


def environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name != "GATEFILL_DEBUG"}
    return kept | {"PYTHONPATH": str(SRC)} | more


def spawn(*arguments: str | Path, **more: str) -> subprocess.CompletedProcess[str]:
    """A real process."""
    return subprocess.run(
        [*PYTHON, *map(str, arguments)],
        env=environment(**more),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_version_is_quicker_than_importing_numpy_and_the_package_light() -> None:
    def importing(name: str) -> list[str]:
        code = (
            f"import sys, time; start = time.perf_counter(); import {name}; "
            "print(time.perf_counter() - start); "
            "print({'numpy', 'cv2', 'numba', 'torch', 'PIL'} & set(sys.modules))"
        )
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, env=environment(), capture_output=True, text=True)
        return done.stdout.split("\n")

    # In turns, as other programs may disturb.
    turns = [
        (
            _timed(lambda: spawn("--version")),
            _timed(lambda: importing("numpy")),
            float(importing("gatefill")[0]),
            float(importing("numpy")[0]),
        )
        for _ in range(4)
    ]
    version, numpy, package, numpy_alone = map(min, zip(*turns, strict=True))
    assert spawn("--version").stdout.strip() == gatefill.__version__
    assert version < numpy
    assert package < numpy_alone / 2
    assert importing("gatefill")[1] == "set()"


def _timed(action: Any) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def test_help_and_methods_do_without_the_heavy_packages() -> None:
    code = (
        "import sys; from gatefill.cli import run; "
        "assert run(['--help']) == run(['inpaint', '--help']) == run(['methods']) == 0; "
        "assert not {'cv2', 'numba', 'torch', 'PIL'} & set(sys.modules), sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, check=True)


@pytest.mark.usefixtures("folder")
def test_a_whole_run_in_a_process() -> None:
    done = spawn("inpaint", "photo.png", "mask.png", "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["output"] == "photo_filled.png"
    wrong = spawn("inpaint", "photo.png", "nope.png")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert wrong.stderr == "gatefill: no such file: nope.png\n"


def test_terminals_without_unicode_are_served(folder: Path) -> None:
    plain = {"PYTHONIOENCODING": "ascii", "LC_ALL": "C"}
    assert spawn("--help", **plain).returncode == 0
    (folder / "photo.png").rename(folder / "phöto.png")
    done = spawn("inpaint", "phöto.png", "mask.png", **plain)
    assert done.returncode == 0
    assert "ph\\xf6to_filled.png" in done.stdout


@pytest.mark.usefixtures("folder")
@pytest.mark.skipif(sys.platform == "win32", reason="signals and pipes of POSIX")
def test_a_reader_that_leaves_is_no_error() -> None:
    process = subprocess.Popen(
        [*PYTHON, "methods"],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == b""
    assert process.wait(60) == 0


@pytest.mark.usefixtures("folder")
@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals of POSIX")
def test_progress_on_a_terminal_and_an_interrupt() -> None:
    """A bar after a second; then Ctrl-C ends it with status 130 and without a traceback."""
    main, terminal_end = os.openpty()
    process = subprocess.Popen(
        [*PYTHON, "masks", "out", "--size", "8x8", "--count", "10000000"],
        env=environment(TERM="xterm", COLUMNS="80"),
        stdout=subprocess.PIPE,
        stderr=terminal_end,
        # Tests that run in the background ignore Ctrl-C, and what they start would too.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    os.close(terminal_end)
    shown = b""
    deadline = time.monotonic() + 60
    while b"drawing" not in shown and time.monotonic() < deadline:
        shown += os.read(main, 4096)
    assert b"drawing" in shown
    process.send_signal(signal.SIGINT)
    try:
        while chunk := os.read(main, 4096):
            shown += chunk
    except OSError:  # the other end has closed
        pass
    os.close(main)
    assert process.wait(60) == 130
    assert b"gatefill: interrupted" in shown
    assert b"Traceback" not in shown


@pytest.mark.usefixtures("folder")
def test_no_bar_where_nobody_looks() -> None:
    done = spawn("masks", "out", "--size", "600x600", "--count", "150", "--kind", "lama_thick")
    assert done.returncode == 0
    assert done.stderr == ""


@pytest.mark.skipif(os.name == "nt", reason="closes streams in a shell")
@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", ">&- 2>&- <&-"])
def test_streams_may_be_closed(closed: str, folder: Path) -> None:
    """As by a daemon; what is written must not end in a file that got the number of a stream."""

    def shell(line: str) -> subprocess.CompletedProcess[str]:
        whole = f"exec {shlex.join(PYTHON)} {line} {closed}"
        return subprocess.run(
            ["sh", "-c", whole], env=environment(), capture_output=True, text=True, check=False
        )

    done = shell("inpaint photo.png mask.png -m patchmatch -o out.png")
    assert (done.returncode, "bug" in done.stderr) == (0, False)
    assert run(["inpaint", "photo.png", "mask.png", "-m", "patchmatch", "-o", "same.png"]) == 0
    assert (folder / "out.png").read_bytes() == (folder / "same.png").read_bytes()
    for line in ("methods", "methods --json", "--help", "--version"):
        assert shell(line).returncode == 0, line
    assert shell("inpaint none.png mask.png -o out.png").returncode == 2


@pytest.mark.skipif(os.name == "nt", reason="closes streams in a shell")
@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("inpaint - mask.png -o out.png <&-", "an open standard input"),
        ("inpaint photo.png mask.png -o - >&-", "an open standard output"),
    ],
)
def test_a_closed_stream_is_no_pipe(line: str, said: str) -> None:
    done = subprocess.run(
        ["sh", "-c", f"exec {shlex.join(PYTHON)} {line}"],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert said in done.stderr
