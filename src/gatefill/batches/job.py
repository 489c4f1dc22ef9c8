"""The options of a batch, in a form that can be sent to other processes."""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gatefill.errors import ConfigError, did_you_mean
from gatefill.images import Photo, read_mask, read_photo
from gatefill.inpainter import Inpainter
from gatefill.loading import DEFAULT_METHOD, default_weights, load
from gatefill.settings import expect_whole

# These options change the speed, not the output.
_ONLY_SPEED = ("device", "batch_size")
GPU_BATCH = 8  # photos of one size per batch of a network on a GPU
_NOT_FOR_MANY = {"photo", "mask", "progress", "sketch", "search", "format", "self"}


def options_of(call: Callable[..., Any]) -> set[str]:
    """Return the names of a function's options that can apply to many photos."""
    return {
        name
        for name, parameter in inspect.signature(call).parameters.items()
        if name not in _NOT_FOR_MANY and parameter.kind is not parameter.VAR_KEYWORD
    }


@dataclass(frozen=True)
class Job:
    """The options of `load`, of the call and of saving, by name, and the output folder."""

    output: str
    load: Mapping[str, Any] = field(default_factory=dict)
    call: Mapping[str, Any] = field(default_factory=dict)
    save: Mapping[str, Any] = field(default_factory=dict)
    fingerprint: str = ""  # hash of everything that the output depends on

    @property
    def batch_size(self) -> int:
        """Photos per batch of the network."""
        return int(self.load.get("batch_size", 1))

    def open(self) -> Inpainter:
        """Load the inpainter of a worker."""
        return load(**self.load)

    def key(self, photo: bytes, mask: bytes | None, format: str) -> str:
        """Return the hash that identifies an output in the manifest."""
        parts = [
            hashlib.sha256(photo).digest(),
            b"-" if mask is None else hashlib.sha256(mask).digest(),
            self.fingerprint.encode(),
            format.encode(),
        ]
        return hashlib.sha256(b"".join(parts)).hexdigest()[:32]


def make_job(output: str, options: Mapping[str, Any]) -> Job:
    """Distribute options over `load`, the call and saving, by their names.

    Raises ConfigError for an unknown name, and for values that are invalid for every photo.
    """
    homes = {
        "load": options_of(load),
        "call": options_of(Inpainter.__call__),
        "save": options_of(Photo.encoded),
    }
    sorted_: dict[str, dict[str, Any]] = {home: {} for home in homes}
    for name, value in options.items():
        home = next((home for home, names in homes.items() if name in names), None)
        if home is None:
            known = set().union(*homes.values())
            raise ConfigError(
                f"unknown option {name!r} of a batch{did_you_mean(name, known)}",
                code="config.option",
                option=name,
            )
        sorted_[home][name] = value
    if str(sorted_["load"].get("device", "cpu")) != "cpu":
        sorted_["load"].setdefault("batch_size", GPU_BATCH)
    if not isinstance(sorted_["load"].get("method"), str | None):
        raise ConfigError(
            "expected the name of a method: each process loads its own", code="batch.ready_method"
        )
    _check(sorted_["call"], sorted_["save"])
    return Job(output, **sorted_, fingerprint=_fingerprint(**sorted_))


def _check(call: Mapping[str, Any], save: Mapping[str, Any]) -> None:
    """Raise ConfigError for numbers that would fail with every photo."""
    photo = read_photo(np.zeros((8, 8, 3), np.uint8))
    numbers = {name: call[name] for name in ("grow", "threshold") if name in call}
    read_mask(np.zeros((8, 8), np.uint8), photo, **numbers)
    expect_whole(0, feather=call.get("feather", 0))
    photo.encoded("webp", **save)


def _fingerprint(load: dict[str, Any], call: dict[str, Any], save: dict[str, Any]) -> str:
    """Return a hash of the options and of the content of the weights file."""
    load = {key: value for key, value in load.items() if value is not None}
    weights = _hash_of_weights(load.get("method"), load.pop("weights", None))
    for name in _ONLY_SPEED:
        load.pop(name, None)
    shown = [
        {key: _plain(value) for key, value in options.items()} for options in (load, call, save)
    ]
    text = json.dumps([*shown, weights], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return {"of": type(value).__name__, **asdict(value)}
    return str(value) if isinstance(value, Path) else value


def _hash_of_weights(method: str | None, weights: str | Path | None) -> str:
    """Return the hash of the weights that will be loaded; empty for methods without weights."""
    from gatefill.checkpoints import find_weights

    file = (
        default_weights(DEFAULT_METHOD if method is None else method)
        if weights is None
        else find_weights(weights)
    )
    if file is None:
        return ""
    digest = hashlib.sha256()
    with Path(file).open("rb") as opened:
        while block := opened.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
