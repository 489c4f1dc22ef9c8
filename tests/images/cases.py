"""Files that were reported: where they lie."""

from __future__ import annotations

from pathlib import Path

CASES = Path(__file__).parents[1] / "data" / "cases"


def case(folder: str, name: str) -> Path:
    """A file of a case, such as ``case("png-large-text", "ztxt.png")``."""
    return CASES / folder / name
