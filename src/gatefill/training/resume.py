"""Checks on resuming a run: changed settings and changed data."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from gatefill.checkpoints import read_header
from gatefill.errors import ConfigError, DataError
from gatefill.training.data import DataSource

# The shapes of discriminators and of the optimizer state depend on these.
FIXED = ("optimizer.kind", "loss.discriminator_width", "loss.critic_width", "terms.hinge_width")
FIXED_WITH_DENSE_CRITICS = ("data.size",)  # their last layer has a fixed input size
DENSE_CRITICS = ("deepfill_v1", "global_local")


class Change(NamedTuple):
    """A setting that changed since the last session."""

    key: str
    before: Any
    now: Any

    def __str__(self) -> str:
        return f"{self.key} {_text(self.before)} -> {_text(self.now)}"


def changes(before: dict[str, Any], now: dict[str, Any], prefix: str = "") -> list[Change]:
    """Return the settings that differ between two configs, given as dicts.

    Settings that only one of them has are from another version of gatefill, and are ignored.
    """
    found = []
    for key in now.keys() & before.keys():
        one, other = before[key], now[key]
        if isinstance(one, dict) and isinstance(other, dict):
            found += changes(one, other, f"{prefix}{key}.")
        elif one != other:
            found.append(Change(prefix + key, one, other))
    return sorted(found)


def check_resumable(method: str, changed: Iterable[Change]) -> None:
    """Refuse changes of settings that a run cannot change.

    Raises:
        ConfigError: With the setting's name and both values.
    """
    keys = FIXED + (FIXED_WITH_DENSE_CRITICS if method in DENSE_CRITICS else ())
    for change in changed:
        if change.key in keys:
            raise fixed(change)


def fixed(change: Change) -> ConfigError:
    """Return the error for a setting that cannot be changed in a run."""
    return ConfigError(
        f"expected {change.key}={_text(change.before)}, with which the run in this folder "
        f"began, got {_text(change.now)}: a run cannot change it; choose another folder",
        code="config.fixed",
        setting=change.key,
        expected=change.before,
        got=change.now,
    )


def expect_no_results(folder: Path) -> None:
    """Refuse a folder of weights without checkpoints: a new run would overwrite them.

    Raises:
        DataError: If it holds the weights of a run.
    """
    weights = folder / "last.safetensors"  # written after the first checkpoint
    if weights.exists():
        raise DataError(
            f"expected checkpoints beside {weights}, found none: a new run would overwrite the "
            "weights of the one before; move them away, or choose another folder",
            code="checkpoint.missing",
            folder=str(folder),
        )


def step_of(weights: Path) -> int | None:
    """Return the step at which a weights file was written; None if it cannot be read."""
    try:
        return read_header(weights).provenance.step
    except (ValueError, OSError):
        return None


def fingerprint(data: DataSource) -> dict[str, Any]:
    """Return a fingerprint of a data set: number of files or shards, and a hash of their names."""
    names = sorted(data.key(file) for file in data.files) or sorted(data.shards)
    return {"count": len(names), "sum": hashlib.sha256("\n".join(names).encode()).hexdigest()}


def about_data(before: dict[str, Any], now: dict[str, Any]) -> str:
    """Return a sentence about data that changed between two sessions; "" if it did not."""
    if not before or before == now:
        return ""
    if before["count"] == now["count"]:
        return f"the data changed since the last session: {now['count']} files, not all the same"
    return f"the data changed since the last session: {before['count']} files, now {now['count']}"


def split(
    data: DataSource, holdout: int, seed: int, kept: Sequence[str]
) -> tuple[DataSource, DataSource]:
    """Split the data into training and validation images.

    kept: Keys of the validation files of the first session. They are used again even if the seed
        has
    changed; otherwise the network would be validated on images it was trained on.
    """
    if kept and data.files:
        train, apart = data.split_at(kept)
        if apart.files:
            return train, apart
    return data.split(holdout, seed)


def trained_on(data: DataSource, validation: DataSource) -> list[str]:
    """Return names of validation files that are also training files, at the same path or as copies.

    Copies have the same name and size; `gatefill data check --against` finds other copies, too.
    """
    wanted = {file.name for file in validation.files}
    alike: dict[str, list[Path]] = defaultdict(list)
    for file in data.files:
        if file.name in wanted:
            alike[file.name].append(file)
    return [
        file.name
        for file in validation.files
        if any(file == other or _same_size(file, other) for other in alike[file.name])
    ]


def _same_size(one: Path, other: Path) -> bool:
    return one.stat().st_size == other.stat().st_size


def _text(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return ",".join(map(str, value))
    return "none" if value is None else str(value)
