"""Photos to train on."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.training.helpers import write_pictures


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 24 small pictures, made anew for each file of tests."""
    folder = tmp_path_factory.mktemp("photos")
    write_pictures(folder, 24)
    return folder
