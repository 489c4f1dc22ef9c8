"""Fixtures that several tests need."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of large reference arrays beside the repository; tests skip without it."""
    folder = ROOT.parent / "shared"
    if not (folder / "official").is_dir():
        pytest.skip(f"needs the reference arrays in {folder.name}/ beside the repository")
    return folder
