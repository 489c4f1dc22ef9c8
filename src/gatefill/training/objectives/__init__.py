"""What each method is trained for: one class a method, one signature."""

from __future__ import annotations

from gatefill.methods.network_parts import network_parts
from gatefill.training.config import TrainConfig
from gatefill.training.objectives.base import Filled, Judge, Losses, Objective, Turn
from gatefill.training.objectives.deepfill_v1 import DeepFillV1Loss, DeepFillV1Objective
from gatefill.training.objectives.deepfill_v2 import DeepFillV2Loss, DeepFillV2Objective
from gatefill.training.objectives.global_local import GlobalLocalLoss, GlobalLocalObjective
from gatefill.training.objectives.partial_conv import PartialConvLoss, PartialConvObjective

OBJECTIVES: dict[str, type[Objective]] = {
    "deepfill_v2": DeepFillV2Objective,
    "deepfill_v1": DeepFillV1Objective,
    "partial_conv": PartialConvObjective,
    "global_local": GlobalLocalObjective,
}

__all__ = [
    "OBJECTIVES",
    "DeepFillV1Loss",
    "DeepFillV1Objective",
    "DeepFillV2Loss",
    "DeepFillV2Objective",
    "Filled",
    "GlobalLocalLoss",
    "GlobalLocalObjective",
    "Judge",
    "Losses",
    "Objective",
    "PartialConvLoss",
    "PartialConvObjective",
    "Turn",
    "make_objective",
]


def make_objective(config: TrainConfig) -> Objective:
    """The objective of a run, with fresh networks. Raises ValueError for an unknown method."""
    if config.method not in OBJECTIVES:
        raise ValueError(
            f"expected a method that can be trained, one of {', '.join(OBJECTIVES)}, "
            f"got {config.method!r}"
        )
    wanted = network_parts(config.method).config
    if not isinstance(config.network, wanted):
        raise ValueError(
            f"expected a {wanted.__name__} as network of {config.method}, "
            f"got {type(config.network).__name__}"
        )
    return OBJECTIVES[config.method](config)
