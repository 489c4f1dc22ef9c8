"""The weights that come with the package; the repository's ``MODEL_CARD.md`` tells of them."""

from __future__ import annotations

import os
from pathlib import Path

import gatefill

FOLDER = Path(gatefill.__file__).parent / "weights"


def shipped_weights(name: str) -> Path:
    """The file of the weights of that name. Raises ValueError for any other name."""
    path = FOLDER / f"{name}.safetensors"
    if not path.is_file():
        known = ", ".join(sorted(each.stem for each in FOLDER.glob("*.safetensors"))) or "none"
        raise ValueError(f"expected weights that come with gatefill, one of {known}, got {name!r}")
    return path


def find_weights(given: str | os.PathLike[str]) -> Path:
    """The file at a path or, where there is none, the weights of that name in the package."""
    path = Path(given)
    named = FOLDER / f"{path.name}.safetensors"
    return named if path == Path(path.name) and not path.exists() and named.is_file() else path
