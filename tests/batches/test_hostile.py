"""Folders as they are found in the wild: one line for each thing that is wrong, nothing lost."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

import gatefill
from tests.batches.helpers import (
    file_of,
    is_filled,
    mask,
    outputs,
    photo,
    put,
    run,
    without_progress,
)

SRC = Path(gatefill.__file__).parents[1]
BATCH = [
    *(sys.executable, "-m", "gatefill"),
    *("batch", "in", "-m", "patchmatch", "--processes", "1"),
]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    put(tmp_path / "mask.png", mask())
    return tmp_path


def spawn(before: Sequence[str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """`gatefill batch in` in a process, begun by another program that sets the scene."""
    return subprocess.run(
        [*before, *BATCH, "--mask", "mask.png", *arguments],
        env=os.environ | {"PYTHONPATH": str(SRC)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def errors(folder: str = "out") -> dict[str, str]:
    """Codes by file; a file has one line."""
    lines = (Path(folder) / "errors.jsonl").read_text("utf-8").splitlines()
    found = [json.loads(line) for line in lines]
    assert len({each["file"] for each in found}) == len(found), "one line each"
    assert all("\n" not in each["error"] for each in found)
    return {each["file"]: each["code"] for each in found}


def test_a_folder_of_everything(here: Path) -> None:
    good = file_of(photo(1), "JPEG")
    put(here / "in/good.png", photo(0))
    put(here / "in/large.png", photo(2, (96, 128)))
    for name, data in (
        ("empty.png", b""),
        ("text.jpg", b"<html>not found</html>" * 50),
        ("cut.jpg", good[: len(good) // 2]),
        ("zeros.png", bytes(10_000)),
        ("name\nwith 'odd' \udcff signs.png", file_of(photo(3))),
        ("notes.txt", b"none of our business"),
    ):
        Path(os.fsdecode(os.fsencode(f"in/{name}"))).write_bytes(data)
    Path("in/gone.jpg").symlink_to("nowhere.jpg")
    Path("in/round.jpg").symlink_to("round.jpg")
    Path("in/link.png").symlink_to("good.png")
    Path("in/up").symlink_to("..")
    os.mkfifo("in/pipe.png")
    Path("in/folder.png").mkdir()
    put(here / "in/folder.png/inside.png", photo(4))
    with socket.socket(socket.AF_UNIX) as opened:
        opened.bind("in/socket.png")
    before = {path: path.read_bytes() for path in Path("in").rglob("*") if path.is_file()}

    found = run("in", mask="mask.png", memory_limit="1GB")

    failed = {name.removeprefix("in/"): code for name, code in errors().items()}
    assert set(failed) == {
        *("large.png", "empty.png", "text.jpg", "cut.jpg", "zeros.png"),
        *("gone.jpg", "round.jpg", "pipe.png", "socket.png"),
    }
    assert failed["gone.jpg"] == "file.missing"
    assert not [code for code in failed.values() if code == "bug"], failed
    done = [name for name in outputs() if name != "errors.jsonl"]
    assert sorted(done) == [
        "folder.png/inside.png",
        "good.png",
        "link.png",
        "name\nwith 'odd' \udcff signs.png",
    ]
    assert found.filled == 4
    assert found.total == 13
    assert is_filled("out/link.png", photo(0))
    assert [(note.name, note.code) for note in found.notes] == [("in/up", "batch.link")]
    after = {path: path.read_bytes() for path in Path("in").rglob("*") if path.is_file()}
    assert after == before, "inputs stay"
    assert sorted(path.name for path in here.iterdir()) == ["in", "mask.png", "out"]


def test_what_may_not_be_read_is_listed() -> None:
    drop: list[str] = []
    if os.geteuid() == 0:  # root reads everything, unless it lays that down
        if shutil.which("setpriv") is None:
            pytest.skip("needs setpriv to be somebody who may not read everything")
        drop = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"]
    for name in ("a.png", "closed.png", "vault/b.png"):
        put(Path("in") / name, photo())
    Path("in/closed.png").chmod(0)
    Path("in/vault").chmod(0)
    try:
        done = spawn(drop, "-o", "out")
    finally:
        Path("in/vault").chmod(0o755)
    assert done.returncode == 3, done.stderr
    assert errors() == {"in/closed.png": "file.system", "in/vault": "file.folder"}
    assert done.stderr.count("Permission denied") == 2
    assert "a.png" in outputs()


def test_a_full_disk_ends_the_batch_and_loses_nothing() -> None:
    for number in range(12):
        put(Path("in") / f"{number:02d}.png", photo(number, (240, 320)))
    put(Path("mask.png"), mask((240, 320)))
    Path("small").mkdir()
    # A disk of its own for the process, with room for some of the photos.
    scene = (
        'mount -t tmpfs -o size=120k tmpfs small && "$@"; status=$?; '
        "cp -r small kept; echo; ls small/.gatefill/parts; exit $status"
    )
    alone = ["unshare", "--user", "--map-root-user", "--mount"]
    if shutil.which("unshare") is None or subprocess.run([*alone, "true"], check=False).returncode:
        pytest.skip("needs unshare and user namespaces for a small disk")
    done = spawn([*alone, "sh", "-c", scene, "sh"], "-o", "small")
    assert done.returncode == 3, done.stderr
    assert "no space left in small" in done.stderr
    assert "photos are left" in done.stderr
    assert without_progress(done.stderr).count("\n") == 1
    kept = outputs("kept")
    assert 0 < len(kept) < 12
    run("in", output="whole", mask="mask.png")
    whole = outputs("whole")
    assert all(whole[name] == data for name, data in kept.items()), "nothing half-written"
    shutil.copytree("kept", "more")  # the disk has grown
    again = run("in", output="more", mask="mask.png")
    assert again.complete
    assert again.skipped >= len(kept) - 1, "a full disk may have cut the last line of the manifest"
    assert outputs("more") == whole


@pytest.mark.slow
def test_a_hundred_thousand_tiny_files() -> None:
    folder = Path("in")
    data = file_of(photo(0, (16, 16)))
    small = mask((64, 64)).crop((28, 18, 44, 34))
    put(Path("mask.png"), small)
    for number in range(100_000):
        if number % 1000 == 0:
            folder = Path("in") / f"{number:06d}"
            folder.mkdir(parents=True)
        (folder / f"{number}.png").write_bytes(data if number % 5000 else b"broken")
    found = run("in", mask="mask.png", processes=2)
    assert (found.filled, found.failed, found.left) == (99_980, 20, 0)
    assert len(errors()) == 20
    again = run("in", mask="mask.png", processes=2)
    assert (again.skipped, again.failed) == (99_980, 20)
