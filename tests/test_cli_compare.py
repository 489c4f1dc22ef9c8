"""The verbs compare and evaluate."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gatefill.cli import run
from tests.evaluation.helpers import write_photos


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_photos(tmp_path / "photos", 2)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_compare_writes_a_report(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["compare", "photos", "--methods", "telea", "patchmatch", "--masks", "brush", "box"]
    arguments += ["--size", "48x48", "--seed", "3", "-o", "report"]
    assert run(arguments) == 0
    said = capsys.readouterr().out
    assert "telea" in said
    assert "patchmatch" in said
    assert "4 cases; open report/index.html" in said
    assert {path.name for path in (folder / "report").iterdir()} == {
        "index.html",
        "results.json",
        "results.csv",
        "photos.csv",
        "journal.jsonl",
        ".lock",
        "masks",
        "pictures",
    }
    assert run([*arguments, "--json"]) == 0, "a second run goes on from the first"
    answer = json.loads(capsys.readouterr().out)
    assert answer["cases"] == 4
    assert answer["problems"] == []
    assert {item["method"] for item in answer["summary"]} == {"telea", "patchmatch"}


def test_a_second_comparison_in_a_folder_is_refused(folder: Path) -> None:
    (folder / "patient.py").write_text(
        "import time\n"
        "from pathlib import Path\n"
        "from gatefill.methods import Fill, MethodInfo\n"
        "class Patient:\n"
        "    info = MethodInfo('patient', 'Patient', 'none', False, False, True, False)\n"
        "    def fill(self, image, mask, sketch=None, progress=None, *, search=None):\n"
        "        Path('filling').touch()\n"
        "        while not Path('go').exists(): time.sleep(0.02)\n"
        "        return Fill(image)\n"
    )
    line = [sys.executable, "-m", "gatefill", "compare", "photos", "--masks", "center"]
    line += ["--size", "48x48", "-o", "report", "--methods", "telea"]
    first = subprocess.Popen([*line, "patient:Patient"])
    try:
        for _ in range(600):
            if Path("filling").exists():
                break
            assert first.poll() is None
            time.sleep(0.1)
        before = Path("report/journal.jsonl").read_bytes()
        for more in ([], ["--overwrite"]):
            second = subprocess.run([*line, *more], capture_output=True, text=True, check=False)
            assert second.returncode == 2
            assert second.stderr.startswith(
                "gatefill: expected a folder that no other run writes to, got report: wait for"
            )
            assert second.stderr.count("\n") == 1
        assert Path("report/journal.jsonl").read_bytes() == before
        assert not Path("report/index.html").exists()
    finally:
        first.kill()  # the lock goes with its process, however that ends
        first.wait()
    try:
        assert subprocess.run(line, check=False).returncode == 0
    finally:
        Path("go").touch()  # the process of the method may still be there


def test_a_folder_with_nothing_but_a_lock_is_free(folder: Path) -> None:
    (folder / "report").mkdir()
    (folder / "report" / ".lock").touch()
    assert run(["evaluate", "telea", "photos", "--size", "48x48", "-o", "report", "--json"]) == 0


@pytest.mark.usefixtures("folder")
def test_evaluate_measures_one_method(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["evaluate", "telea", "photos/photo0.png", "photos", "--masks", "center"]
    assert run([*arguments, "--size", "native", "-o", "report", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["cases"] == 2
    assert [item["reason"][:16] for item in answer["problems"]] == ["the same file as"]


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["photos", "--methods", "teela"], "got 'teela'; did you mean telea"),
        (["photos", "--methods", "deepfill_v1"], "expected weights for deepfill_v1"),
        (["photos", "--methods", "telea", "--masks", "object"], "--cutouts FOLDER"),
        (["photos", "--methods", "telea", "--size", "big"], "such as 256x256 or native, got 'big'"),
        (["gone", "--methods", "telea"], "no such file or folder: gone"),
        (["--methods", "telea"], "expected photos or folders of photos"),
    ],
)
def test_what_cannot_be_is_one_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["compare", *arguments, "-o", "report"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert message in said.err
    assert said.err.count("\n") == 1
    assert not Path("report").exists()


@pytest.mark.usefixtures("folder")
def test_missing_packages_give_the_pip_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torchmetrics", None)
    assert run(["compare", "photos", "--methods", "telea", "-o", "report"]) == 2
    assert 'pip install "gatefill[compare]"' in capsys.readouterr().err


METHODS_OF_OURS = """
from tests.nearest import Nearest

class Broken(Nearest):
    def fill(self, *arguments, **options):
        raise ValueError("inside")
"""


def test_fills_that_fail_give_an_exit_status_of_their_own(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "broken_methods.py").write_text(METHODS_OF_OURS)
    monkeypatch.syspath_prepend(folder)
    line = ["photos", "--masks", "center", "--size", "48x48", "-o", "report"]
    assert run(["compare", "--methods", "telea", "broken_methods:Broken", *line[1:], line[0]]) == 3
    said = capsys.readouterr()
    assert "Broken failed on photo0.png, center: ValueError: inside" in said.err
    assert "failed fills, which the means leave out: 2" in said.out
    assert run(["evaluate", "broken_methods:Broken", *line, "--overwrite", "--json"]) == 3
    assert json.loads(capsys.readouterr().out)["failures"] == 2


@pytest.mark.usefixtures("folder")
def test_a_comparison_of_nothing_is_no_success() -> None:
    line = ["evaluate", "telea", "photos", "--masks", "center", "--size", "512x512"]
    assert run([*line, "-o", "report"]) == 3
