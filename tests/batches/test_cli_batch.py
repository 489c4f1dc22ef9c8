"""The verb `batch`: what it says, and its exit status."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from gatefill.cli import run
from tests.batches.helpers import mask, outputs, photo, put, without_progress


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """``in`` with a photo and a broken one, and ``mask.png``."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GATEFILL_DEBUG", raising=False)
    put(tmp_path / "in" / "a.png", photo())
    Path("in/broken.jpg").write_bytes(b"no photo")
    put(tmp_path / "mask.png", mask())
    return tmp_path


def test_batch_says_what_it_did(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["batch", "in", "-o", "out", "--mask", "mask.png", "-m", "patchmatch"]
    assert run([*arguments, "--grow", "1", "--set", "patch_size=5", "--seed", "3"]) == 3
    said = capsys.readouterr()
    assert said.out.startswith("out  (1 filled, 1 failed; ")
    told = without_progress(said.err)
    assert told.startswith("gatefill: in/broken.jpg: ")
    assert told.count("\n") == 1

    Path("in/broken.jpg").unlink()
    assert run([*arguments, "--json"]) == 0
    said = capsys.readouterr()
    answer = json.loads(said.out)
    assert without_progress(said.err) == ""
    assert answer["filled"] == 1, "other options"
    assert (answer["skipped"], answer["failed"], answer["left"]) == (0, 0, 0)

    assert run([*arguments, "--dry-run"]) == 0
    assert capsys.readouterr().out.startswith("0 to fill, 1 done before, 0 cannot be done")
    assert run(arguments) == 0
    assert re.fullmatch(r"out  \(0 filled, 1 done before; [\d.]+ s\)\n", capsys.readouterr().out)
    assert list(outputs()) == ["a.png"]


def test_wrong_input_is_one_line_and_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, said in (
        (["in", "-o", "in"], "an output folder that does not hold the photos"),
        (["nope", "-o", "out"], "no such file or folder: nope"),
        (["in", "-o", "out", "--memory-limit", "lots"], "such as 4GB"),
        (["in", "-o", "out", "--processes", "0"], "expected processes of 1 or more, got 0"),
        (["in", "-o", "out", "-m", "nope"], "nope"),
    ):
        assert run(["batch", *arguments]) == 2
        found = capsys.readouterr().err
        assert said in found
        assert found.count("\n") == 1


def test_inpaint_given_a_folder_says_the_line_to_type(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = here / "my photos"
    put(folder / "a.png", photo())
    assert run(["inpaint", str(folder), "mask.png"]) == 2
    said = capsys.readouterr().err
    assert "expected a photo, got a folder" in said
    line = shlex.split(said.partition("gatefill batch ")[2])
    assert line == [str(folder), "--mask", "mask.png", "-o", f"{folder}_filled"]
    assert run(["batch", *line, "-m", "patchmatch"]) == 0
    assert list(outputs(f"{folder}_filled")) == ["a.png"]


def test_options_of_inpaint_are_options_of_batch(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["batch", "--help"]) == 0
    of_batch = capsys.readouterr().out
    assert run(["inpaint", "--help"]) == 0
    of_one = set(capsys.readouterr().out.split()) - {"--sketch", "--search"}
    options = {word for word in of_one if word.startswith("--") and "attention" not in word}
    assert "--grow" in options
    assert options <= set(of_batch.split())


def test_a_plain_folder_needs_no_extra(here: Path) -> None:
    """Neither Ray nor pyarrow nor fsspec is imported, here or in the worker."""
    gone = "import sys; sys.modules.update(dict.fromkeys(['ray', 'pyarrow', 'fsspec', 'torch']))"
    (here / "site").mkdir()
    (here / "site" / "sitecustomize.py").write_text(gone)
    code = (
        "from gatefill.cli import run; import sys; "
        "sys.exit(run(['batch', 'in/a.png', '-o', 'out', '--mask', 'mask.png']))"
    )
    paths = os.pathsep.join([str(here / "site"), *sys.path])
    subprocess.run([sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": paths}, check=True)
    assert list(outputs()) == ["a.png"]
