"""From a text such as ``deepfill_v2:W.safetensors`` to something that fills photos."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import gatefill
from gatefill.errors import ConfigError
from gatefill.evaluation.outside import OUTSIDE, create_outside, package_version
from gatefill.inpainter import Inpainter
from gatefill.loading import default_weights
from gatefill.methods import METHODS, MethodInfo
from gatefill.methods.registry import takes_no_weights, unknown_method


@dataclass(frozen=True)
class Contestant:
    """One method under comparison. It is opened in a process of its own, so it must pickle."""

    label: str  # how tables call it; no two share one
    info: MethodInfo
    version: str  # whatever changes its results: a package's version, the weights' checksum
    open: Callable[[], Inpainter]


def contestants(specs: Sequence[str], device: str = "cpu") -> list[Contestant]:
    """The methods behind the texts: ``NAME`` or, with weights of one's own, ``NAME:WEIGHTS``.

    Raises ConfigError for unknown names, networks without weights and labels that come twice,
    FileNotFoundError for weights that are not there. Nothing is loaded yet.
    """
    found = [_contestant(spec, device) for spec in specs]
    if not found:
        raise ConfigError("expected at least one method, got none", code="compare.no_methods")
    labels = [contestant.label for contestant in found]
    for label in labels:
        if labels.count(label) > 1:
            raise ConfigError(
                f"expected each method once, got {label} {labels.count(label)} times",
                code="compare.twice",
                name=label,
            )
    return found


def _contestant(spec: str, device: str) -> Contestant:
    name, _, weights = spec.partition(":")
    if name in OUTSIDE:
        if weights:
            raise takes_no_weights(name, weights)
        return Contestant(name, OUTSIDE[name], package_version(name), partial(_outside, name))
    if name not in METHODS:
        raise unknown_method(name, METHODS | OUTSIDE)
    info = METHODS[name]
    if not weights:
        if shipped := default_weights(name):
            version = _with_sum(shipped)
            return Contestant(name, info, version, partial(gatefill.load, name, device=device))
        if info.takes_weights:
            raise ConfigError(
                f"expected weights for {name}, as {name}:FILE: without any it is noise",
                code="compare.no_weights",
                method=name,
            )
        return Contestant(name, info, _own_version(), partial(gatefill.load, name))
    if not info.takes_weights:
        raise takes_no_weights(name, weights)
    path = Path(weights)
    if not path.is_file():
        raise FileNotFoundError(f"no such file: {path}")
    return Contestant(
        label=f"{name}:{path.stem}",
        info=info,
        version=_with_sum(path),
        open=partial(gatefill.load, name, weights=path, device=device),
    )


def _outside(name: str) -> Inpainter:
    return gatefill.load(create_outside(name))


@cache
def _own_version() -> str:
    """Our version with a checksum of the code that fills, which differs between two releases."""
    package = Path(gatefill.__file__).parent
    files = [package / "inpainter.py", package / "regions.py", package / "geometry.py"]
    for folder in ("methods", "layers"):
        files += sorted((package / folder).rglob("*.py"))
    total = hashlib.sha256(b"".join(path.read_bytes() for path in files))
    return f"gatefill {gatefill.__version__}, code {total.hexdigest()[:8]}"


def _with_sum(weights: Path) -> str:
    return f"{_own_version()}, weights {file_sum(weights)[:12]}"


def file_sum(path: Path) -> str:
    """The SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
