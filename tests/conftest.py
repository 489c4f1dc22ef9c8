"""What all tests share: repeatable property tests, and the folder of photographs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# The same examples on every run, so that a failure is the change's and not the dice's.
settings.register_profile(
    "repeatable",
    derandomize=True,
    deadline=None,
    database=None,
    max_examples=50,
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
