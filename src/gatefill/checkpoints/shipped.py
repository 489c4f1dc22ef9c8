"""The weights that come with the package; see ``MODEL_CARD.md`` in the repository."""

from __future__ import annotations

import os
from pathlib import Path

import gatefill
from gatefill.checkpoints.hub import WEIGHTS, fetch, in_folder, is_address
from gatefill.errors import ConfigError, did_you_mean

FOLDER = Path(gatefill.__file__).parent / "weights"


def shipped_weights(name: str) -> Path:
    """Return the path of shipped weights by name. Raises ConfigError for an unknown name."""
    path = FOLDER / f"{name}.safetensors"
    if not path.is_file():
        known = sorted(each.stem for each in FOLDER.glob("*.safetensors"))
        raise ConfigError(
            f"expected weights that come with gatefill, one of {', '.join(known) or 'none'}, "
            f"got {name!r:.80}{did_you_mean(name, known)}",
            code="weights.unknown",
            weights=name[:80],
            known=known,
        )
    return path


def exported_form(path: Path) -> Path | None:
    """Return the ONNX form of weights: the file itself if it is one, or that of shipped weights."""
    if path.suffix == ".onnx":
        return path
    shipped = FOLDER / f"{path.stem}.onnx"
    return shipped if path.parent == FOLDER and shipped.is_file() else None


def find_weights(given: str | os.PathLike[str]) -> Path:
    """Find weights: a path, a folder, an address on the hub, or the name of shipped weights.

    Raises:
        ConfigError, WeightsError, MissingExtra: If the hub does not have them; see `fetch`.
    """
    if is_address(given):
        return fetch(given)
    path = Path(given)
    if "\0" in str(path):
        raise ConfigError(
            f"expected the path or the name of weights, got {str(path)!r:.80}",
            code="weights.unknown",
            weights=repr(str(path))[:80],
        )
    if (path / WEIGHTS).is_file():
        return in_folder(path)
    named = FOLDER / f"{path.name}.safetensors"
    return named if path == Path(path.name) and not path.exists() and named.is_file() else path
