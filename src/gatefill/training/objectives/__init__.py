"""Training objectives: one class per method, all with the same interface."""

from __future__ import annotations

from gatefill.errors import ConfigError
from gatefill.methods.registry import METHODS, entry
from gatefill.training.config import TrainConfig
from gatefill.training.objectives.base import Judge, Losses, Made, Objective, Turn
from gatefill.training.objectives.deepfill_v1 import DeepFillV1Loss, DeepFillV1Objective
from gatefill.training.objectives.deepfill_v2 import DeepFillV2Loss, DeepFillV2Objective
from gatefill.training.objectives.global_local import GlobalLocalLoss, GlobalLocalObjective
from gatefill.training.objectives.partial_conv import PartialConvLoss, PartialConvObjective

__all__ = [
    "DeepFillV1Loss",
    "DeepFillV1Objective",
    "DeepFillV2Loss",
    "DeepFillV2Objective",
    "GlobalLocalLoss",
    "GlobalLocalObjective",
    "Judge",
    "Losses",
    "Made",
    "Objective",
    "PartialConvLoss",
    "PartialConvObjective",
    "Turn",
    "make_objective",
]


def make_objective(config: TrainConfig) -> Objective:
    """Create the objective of a run, with new networks.

    Raises ConfigError if the method cannot be trained, or if the network belongs to another method.
    """
    if config.method not in METHODS or not METHODS[config.method].trainable:
        known = [name for name, info in METHODS.items() if info.trainable]
        raise ConfigError(
            f"expected a method that can be trained, one of {', '.join(known)}, "
            f"got {config.method!r}",
            code="method.not_trainable",
            method=config.method,
            known=known,
        )
    found = entry(config.method)
    wanted = found.load("config")
    if not isinstance(config.network, wanted):
        raise ConfigError(
            f"expected a {wanted.__name__} as network of {config.method}, "
            f"got {type(config.network).__name__}",
            code="config.type",
            method=config.method,
            config=type(config.network).__name__,
        )
    objective: Objective = found.load("objective")(config)
    return objective
