"""The walk through 'adding a method' leads to a method that works: its steps are taken here."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from textwrap import indent

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a copy of the package, changed as the walk says, and the test it writes."""
    place = tmp_path_factory.mktemp("walk")
    package = place / "src" / "gatefill"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "src" / "gatefill", package, ignore=ignored)
    guide = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    steps = re.findall(r"^```python\n(.*?)^```$", guide, re.MULTILINE | re.DOTALL)
    method, entry, test = steps

    (package / "methods" / "telea.py").write_text(method, "utf-8")
    entry = indent(entry.rstrip(), "    ") + ",\n"
    _insert(package / "methods" / "registry.py", entry, before=")\n\nMETHODS: ")
    (place / "test_telea.py").write_text(test, "utf-8")
    return place


def _insert(path: Path, lines: str, before: str) -> None:
    text = path.read_text("utf-8")
    start = text.index(before)
    path.write_text(text[:start] + lines + text[start:], "utf-8")


def _run(place: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *map(str, arguments)],
        cwd=place,
        env=os.environ | {"PYTHONPATH": str(place / "src")},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_method_fills_a_photo(walked: Path) -> None:
    example = ROOT / "examples" / "marsh.jpg", ROOT / "examples" / "marsh_mask.png"
    arguments = ("--method", "telea", "--set", "radius=9", "-o", "out.jpg")
    done = _run(walked, "gatefill", "inpaint", *example, *arguments)
    assert done.returncode == 0, done.stderr
    assert "(telea, " in done.stdout
    assert (walked / "out.jpg").is_file()


def test_its_tests_pass(walked: Path) -> None:
    done = _run(walked, "pytest", "-p", "no:cacheprovider", "-q", "test_telea.py")
    assert done.returncode == 0, done.stdout
    assert "3 passed" in done.stdout


def test_it_keeps_to_the_rules(walked: Path) -> None:
    methods = walked / "src" / "gatefill" / "methods"
    code = [methods / "telea.py", methods / "registry.py", walked / "test_telea.py"]
    config = ("--no-cache", "--config", ROOT / "pyproject.toml")
    done = _run(walked, "ruff", "check", *config, *code)
    assert done.returncode == 0, done.stdout
    done = _run(walked, "ruff", "format", "--check", *config, *code)
    assert done.returncode == 0, done.stdout + done.stderr
