"""The core install alone: no torch, a filled photo, and the pip line for what is missing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

pytestmark = pytest.mark.slow  # installs everything anew

ROOT = Path(__file__).resolve().parents[1]
HEAVY = ("torch", "tensorflow", "fastapi", "ray", "onnx", "scipy", "matplotlib")


def _run(*arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    # Nothing of the environment that runs the tests may be seen by the one under test.
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return subprocess.run(
        list(map(str, arguments)), env=kept, cwd=cwd, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of programs of an environment with the core install alone."""
    place = tmp_path_factory.mktemp("core")
    probe = _run(
        *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--retries", "1"),
        *("--timeout", "15", "--dest", place / "probe", "rich"),
    )
    if probe.returncode != 0:
        pytest.skip("needs the package index, which cannot be reached")
    venv.create(place / "venv", with_pip=True)
    programs = place / "venv" / ("Scripts" if os.name == "nt" else "bin")
    done = _run(
        *(programs / "python", "-m", "pip", "install", "--quiet"),
        *("--constraint", ROOT / "constraints.txt", ROOT),
    )
    assert done.returncode == 0, done.stderr
    return programs


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with photo.png in stripes and mask.png."""
    photo = np.zeros((96, 128, 3), np.uint8)
    photo[:, ::8], photo[:, 1::8] = (200, 120, 40), (190, 110, 30)
    mask = np.zeros((96, 128), np.uint8)
    mask[40:56, 50:80] = 255
    PIL.Image.fromarray(photo).save(tmp_path / "photo.png")
    PIL.Image.fromarray(mask).save(tmp_path / "mask.png")
    return tmp_path


def test_the_core_alone_fills_a_photo(core: Path, folder: Path) -> None:
    listed = json.loads(_run(core / "python", "-m", "pip", "list", "--format", "json").stdout)
    names = {each["name"].lower() for each in listed}
    assert "gatefill" in names
    assert not names & set(HEAVY)

    done = _run(
        *(core / "gatefill", "inpaint", "photo.png", "mask.png", "-o", "out.png", "--json"),
        cwd=folder,
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert (answer["method"], answer["warnings"]) == ("hybrid", [])
    before, after = (np.asarray(PIL.Image.open(folder / f"{n}.png")) for n in ("photo", "out"))
    hole = np.asarray(PIL.Image.open(folder / "mask.png")) > 0
    np.testing.assert_array_equal(after[~hole], before[~hole])
    error = np.abs(after[hole].astype(int) - before[hole]).mean()
    flat = np.abs(before[~hole].mean(axis=0) - before[hole]).mean()
    assert error < flat / 2, "the stripes go on"


def test_a_missing_extra_gives_the_pip_line(core: Path, folder: Path) -> None:
    for method in ("deepfill_v1", "partial_conv", "global_local"):
        arguments = ("inpaint", "photo.png", "mask.png", "--method", method)
        done = _run(core / "gatefill", *arguments, cwd=folder)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == (
            f"gatefill: {method} needs torch, which is not installed: "
            'pip install "gatefill[torch]"\n'
        )


def test_the_shipped_network_fills_alone_too(core: Path, folder: Path) -> None:
    arguments = ("inpaint", "photo.png", "mask.png", "--method", "deepfill_v2", "--json")
    done = _run(core / "gatefill", *arguments, "-o", "network.png", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["method"] == "deepfill_v2"


def test_the_light_verbs_work_without_the_extras(core: Path, folder: Path) -> None:
    for line in ("--help", "methods", "masks masks --count 2 --size 64x64"):
        done = _run(core / "gatefill", *line.split(), cwd=folder)
        assert done.returncode == 0, done.stderr
        assert done.stdout
