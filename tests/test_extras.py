"""What is said where packages are missing."""

from __future__ import annotations

import json.decoder
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import gatefill
from gatefill.extras import MODULES, MissingExtra, installed, need, require


def test_a_missing_extra_gives_the_exact_pip_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)  # as the import system notes absence
    assert not installed("torch")
    with pytest.raises(MissingExtra) as caught:
        require("torch", "deepfill_v2")
    assert isinstance(caught.value, ImportError)
    assert str(caught.value) == (
        'deepfill_v2 needs torch, which is not installed: pip install "gatefill[torch]"'
    )


def test_an_installed_extra_is_let_through(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(MODULES, "torch", "numpy")
    require("torch", "deepfill_v2")


def test_an_imported_module_is_the_module() -> None:
    assert need("json.decoder", "torch", "reading") is json.decoder


def test_the_package_that_is_missing_is_named() -> None:
    with pytest.raises(MissingExtra) as caught:
        need("no_such_package.part", "torch", "loading weights")
    assert caught.value.name == "no_such_package"
    assert str(caught.value) == (
        "loading weights needs no_such_package, which is not installed: "
        'pip install "gatefill[torch]"'
    )


def test_every_extra_of_the_package_is_known() -> None:
    project = tomllib.loads(Path(__file__).parents[1].joinpath("pyproject.toml").read_text("utf-8"))
    assert set(MODULES) == set(project["project"]["optional-dependencies"]) - {"all"}


def test_everything_that_is_installed_with_all_is_imported_somewhere() -> None:
    root = Path(__file__).parents[1]
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    (everything,) = project["optional-dependencies"]["all"]
    names = everything.removeprefix("gatefill[").removesuffix("]").split(",")
    code = "\n".join(
        path.read_text("utf-8") for path in (root / "src").rglob("*.py") if path.stem != "extras"
    )
    unused = [
        name
        for name in names
        if not re.search(rf'(import |from |need\("|import_module\("){MODULES[name]}\b', code)
    ]
    assert not unused


QUIET = """
import os, pathlib, sys
import numpy as np
import gatefill
photo = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
mask = np.zeros((64, 64), bool)
mask[20:40, 20:40] = True
gatefill.load()(photo, mask)
assert "onnxruntime" in sys.modules
assert "ORT_DISABLE_TELEMETRY" not in os.environ
print([path.name for path in pathlib.Path.home().rglob("deviceid")])
"""


def test_onnxruntime_leaves_no_identifier_and_the_environment_as_it_was(tmp_path: Path) -> None:
    """With its telemetry on, it writes one into the user's cache at its import."""
    kept = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "SYSTEMROOT")  # CI turns it off as well
    environment = {name: os.environ[name] for name in kept if name in os.environ}
    environment |= {"HOME": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    run = [sys.executable, "-c", QUIET]
    done = subprocess.run(run, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "[]\n"


def test_onnxruntime_is_imported_by_one_function() -> None:
    source = Path(gatefill.__file__).parent
    statement = re.compile(r"^\s*(import|from) onnxruntime", re.MULTILINE)
    found = [
        path.name for path in source.rglob("*.py") if statement.search(path.read_text("utf-8"))
    ]
    assert not found, "gatefill.extras.import_onnxruntime turns its telemetry off"
