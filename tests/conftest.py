"""What all tests share: repeatable property tests, a folder to work in, and the photographs."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from hypothesis import HealthCheck, settings

# Here, so that there is one: Playwright cannot run twice in a process.
from tests.browser import browser  # noqa: F401

# The same examples on every run, so that a failure is the change's and not the dice's.
settings.register_profile(
    "repeatable",
    derandomize=True,
    deadline=None,
    database=None,
    max_examples=30,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
# Fresh examples, more of them: HYPOTHESIS_PROFILE=search pytest ...
settings.register_profile(
    "search", settings.get_profile("repeatable"), derandomize=False, max_examples=1000
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))

_SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with photographs and reference arrays beside the repository."""
    if not _SHARED.is_dir():
        pytest.skip(f"needs the folder {_SHARED.name} beside the repository")
    return _SHARED


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with photo.png, 48x64 of coarse noise, and mask.png with a small hole."""
    grains = np.random.default_rng(0).integers(60, 200, (12, 16, 3), dtype=np.uint8)
    photo = grains.repeat(4, axis=0).repeat(4, axis=1)
    mask = np.zeros((48, 64), np.uint8)
    mask[20:28, 30:40] = 255
    PIL.Image.fromarray(photo).save(tmp_path / "photo.png")
    PIL.Image.fromarray(mask).save(tmp_path / "mask.png")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GATEFILL_DEBUG", raising=False)
    return tmp_path
