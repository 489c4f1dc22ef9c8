"""Every example of the gallery runs and makes the picture that its page shows."""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
GALLERY = runpy.run_path(str(ROOT / "scripts" / "gallery.py"))
SCRIPTS: Path = GALLERY["SCRIPTS"]
SLOW = ("http_service", "own_weights", "train_on_your_photos", "settings", "large_photo", "folder")
DIFFERENT = 4.0  # levels of 255, in the mean over the picture: what JPEG and rounding may do


def _same_as_shown(name: str, folder: Path) -> None:
    made, shown = folder / "out" / "gallery" / f"{name}.jpg", GALLERY["PICTURES"] / f"{name}.jpg"
    with Image.open(made) as one, Image.open(shown) as other:
        assert one.size == other.size
        apart = np.asarray(one.convert("RGB")).astype(int) - np.asarray(other.convert("RGB"))
    assert np.abs(apart).mean() < DIFFERENT


@pytest.mark.parametrize("name", [each for each in GALLERY["ORDER"] if each not in SLOW])
def test_an_example_makes_its_picture(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(SCRIPTS))
    runpy.run_path(str(SCRIPTS / f"{name}.py"), run_name="__main__")
    _same_as_shown(name, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", SLOW)
def test_a_slow_example_makes_its_picture(name: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, SCRIPTS / f"{name}.py"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(SCRIPTS)])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    _same_as_shown(name, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("path", sorted((ROOT / "examples" / "notebooks").glob("*.ipynb")), ids=str)
def test_a_notebook_runs(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    pytest.importorskip("anywidget")
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "src"))
    notebook = nbformat.read(path, as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells), "kept without its outputs"
    nbclient.NotebookClient(
        notebook, timeout=200, resources={"metadata": {"path": str(path.parent)}}
    ).execute()
    shown = [
        output
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if {"image/png", "application/vnd.jupyter.widget-view+json"} & set(output.get("data", {}))
    ]
    assert shown


def test_every_script_is_on_the_pages() -> None:
    there = {path.stem for path in SCRIPTS.glob("*.py")} - {GALLERY["HELPER"]}
    assert there == set(GALLERY["ORDER"])
    assert len(there) >= 12
    shown = {path.stem for path in GALLERY["PICTURES"].glob("*.jpg")}
    assert shown == there
    page: Any = GALLERY["page"]
    for language, name in (("en", "gallery.md"), ("ko", "gallery.ko.md")):
        written = (ROOT / "docs" / name).read_text("utf-8")
        assert written == page(language), "run scripts/gallery.py --pages"


def test_every_function_of_the_readme_is_in_an_example() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    blocks = "\n".join(re.findall(r"```python\n(.*?)```", readme, re.DOTALL))
    called = set(re.findall(r"\b(?:gatefill|inpaint|result|attention)\.(\w+)\(", blocks))
    called |= set(re.findall(r"`gatefill\.(\w+)\(", readme))
    assert {"load", "inpaint", "map", "save"} <= called
    sources = "\n".join(path.read_text("utf-8") for path in SCRIPTS.glob("*.py"))
    sources += "\n".join(
        path.read_text("utf-8") for path in (ROOT / "examples" / "notebooks").glob("*.ipynb")
    )
    assert not {name for name in called if f".{name}(" not in sources}
