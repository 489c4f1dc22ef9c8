"""Start a new run from existing weights."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gatefill.checkpoints import find_weights, load_network
from gatefill.errors import WeightsError
from gatefill.training.checkpoints import Checkpoints, load_checkpoint
from gatefill.training.config import TrainConfig
from gatefill.training.objectives import Objective

log = logging.getLogger(__name__)


def load_start(objective: Objective, config: TrainConfig, path: Path) -> str:
    """Load weights of a file or another run into new networks; return their provenance.

    Args:
        objective: The objective of the new run, with new networks.
        config: Config of the new run.
        path: A weights file, or the name of weights that come with gatefill: for the generator
            only; a guided network can also start from the same network without sketches. Or the
            folder or a checkpoint of a run: for generator (averaged, if it has an average) and
            discriminator.

    Raises:
        WeightsError: If the file is damaged or belongs to another network.
    """
    if path.is_dir() or path.suffix == ".pt":
        return _from_run(objective, config, path)
    info, loaded = load_network(find_weights(path))
    weights = loaded.state_dict()
    if info.method == config.method and _lacks_sketches(loaded.config, config.network):
        weights = _with_sketches(weights, objective.generator.state_dict())
    elif info.method != config.method or loaded.config != config.network:
        raise _other(config, path, info.method, loaded.config)
    objective.generator.load_state_dict(weights)
    return info.provenance.source


def _from_run(objective: Objective, config: TrainConfig, path: Path) -> str:
    saved: dict[str, Any] | None
    if path.is_dir():
        saved = Checkpoints(path / "checkpoints", 1).load_last()
    else:
        saved = load_checkpoint(path)
    if saved is None:
        raise WeightsError(
            f"expected a run's folder with checkpoints, a checkpoint or a weights file to start "
            f"from, got {path}",
            code="weights.start",
        )
    before = json.loads(saved["config"])
    now = json.loads(json.dumps(config.as_dict(), default=str))
    names = [part.name for part in fields(config.network) if part.compare]
    same = all(before["network"].get(name) == now["network"][name] for name in names)
    if saved["method"] != config.method or not same:
        raise _other(config, path, saved["method"], before["network"])
    objective.generator.load_state_dict(saved["ema"] or saved["generator"])
    source = f"a run of {before['recipe']}, {json.loads(saved['progress'])['images']} images"
    critic = objective.critic
    if critic is None or saved["critic"] is None:
        return source
    if _shapes(critic.state_dict()) != _shapes(saved["critic"]):
        log.warning("the discriminator of %s has another shape: a new one begins", path)
        return source
    critic.load_state_dict(saved["critic"])
    return f"{source}, with its discriminator"


def _lacks_sketches(given: Any, wanted: Any) -> bool:
    """Return whether a network is the wanted guided one, except for the sketch channel."""
    if not getattr(wanted, "guided", False) or getattr(given, "guided", True):
        return False
    return bool(replace(given, guided=True) == wanted)


def _with_sketches(weights: Mapping[str, Tensor], fresh: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Add the sketch channel of a new network to the first layer of weights.

    Without a sketch they fill as before. (A channel of zeros hardly changed in 512 steps.)
    """
    name = "conv1.weight"
    first, sketch = weights[name], fresh[name][:, 3:4]
    return {**weights, name: torch.cat([first[:, :3], sketch, first[:, 3:]], dim=1)}


def _shapes(weights: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(value.shape) for name, value in weights.items()}


def _other(config: TrainConfig, path: Path, method: str, network: Any) -> WeightsError:
    return WeightsError(
        f"expected weights of {config.method} with {config.network}, "
        f"got {path.name}: {method} with {network}",
        code="weights.other_network",
    )
