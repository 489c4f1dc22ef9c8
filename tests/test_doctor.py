"""gatefill doctor: a description of the installation, and an honest test fill."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gatefill
import gatefill.packages
from gatefill.cli import run
from gatefill.doctor import examine
from gatefill.extras import installed

PACKAGE = Path(gatefill.__file__).parent


def _doctor(path: Path) -> tuple[int, dict[str, Any]]:
    """Status and answer of the doctor, where modules in `path` go before all others."""
    done = subprocess.run(
        [sys.executable, "-m", "gatefill", "doctor", "--json"],
        env=os.environ | {"PYTHONPATH": str(path)},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, json.loads(done.stdout)


def test_a_sound_installation(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["gatefill"]["version"] == gatefill.__version__
    assert found["packages"]["numpy"] == np.__version__
    assert found["system"]["cores"] >= 1
    assert found["system"]["cpu"]
    assert "CPUExecutionProvider" in found["runtimes"]["onnxruntime"]["providers"]
    assert "cpu" in found["devices"]
    assert found["caches"]["temporary"]["free_bytes"] > 0
    assert found["self_test"]["ok"]
    assert found["self_test"]["method"] == "hybrid"


def test_it_names_all_places_that_files_are_kept_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gatefill.packages, "default_folder", lambda: tmp_path)
    (tmp_path / "u2netp.onnx").write_bytes(b"x")
    (tmp_path / "mine.jpg").write_bytes(b"x")
    caches = examine()["caches"]
    assert caches["fetched"] == {"folder": str(tmp_path), "networks": ["u2netp.onnx"]}
    if installed("hub"):
        assert caches["hub"]["folder"]


def test_it_reads_well(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor"]) == 0
    said = capsys.readouterr().out
    for line in ("self test", "  ok                      yes", "cpu features", "onnxruntime"):
        assert line in said
    assert "_" not in said.partition("packages")[0].partition("system")[2].replace("x86_64", "")


def test_the_home_folder_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    home = str(PACKAGE.parent)
    monkeypatch.setenv("HOME", home)
    monkeypatch.setenv("USERPROFILE", home)
    assert examine()["gatefill"]["folder"] == str(Path("~") / "gatefill")


def test_a_broken_package_is_told_and_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("raise OSError('libcudart.so not found')\n", "utf-8")
    status, found = _doctor(tmp_path)
    assert found["runtimes"]["torch"] == {"ok": False, "error": "OSError: libcudart.so not found"}
    assert "libcudart" in found["devices"]["error"]
    assert (status, found["self_test"]["ok"]) == (0, True), "the default needs no torch"


def test_damaged_weights_fail_the_self_test(tmp_path: Path) -> None:
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(PACKAGE, tmp_path / "gatefill", ignore=ignored)
    for file in (tmp_path / "gatefill" / "weights").iterdir():
        os.truncate(file, 1000)
    status, found = _doctor(tmp_path)
    assert (status, found["self_test"]["ok"]) == (1, False)
    assert found["self_test"]["error"].startswith("WeightsError: ")
