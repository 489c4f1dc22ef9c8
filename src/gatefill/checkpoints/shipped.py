"""The weights that come with the package; the repository's ``MODEL_CARD.md`` tells of them."""

from __future__ import annotations

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
