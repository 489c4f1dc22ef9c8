"""Networks out of weights files: the header picks the network, the tensors must fit it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatefill.checkpoints.config import config_from
from gatefill.checkpoints.fit import Shapes, expect_shapes
from gatefill.checkpoints.native import WeightsInfo, load_weights

if TYPE_CHECKING:
    from torch import nn

MAX_SIZE = 4096  # of any whole number in a config; the widest published layer has 512 channels


def load_network(path: str | os.PathLike[str]) -> tuple[WeightsInfo, nn.Module]:
    """The network of a weights file, on the CPU in float32, ready for inference.

    Raises ValueError, in one line, where the file is damaged, or where its config or its tensors
    do not fit the method it names; MissingExtra without torch.
    """
    info, state = load_weights(path)
    try:
        kind, build = network_of(info.method)
        config = config_from(kind, info.config)
        _expect_sane(info.config)
        expect_shapes(info.shapes, shapes_of(build, config))
    except ValueError as problem:
        raise ValueError(f"{Path(path).name}: {problem}") from None
    network = build(config)
    network.load_state_dict(state)
    return info, network.eval().requires_grad_(False)


def network_of(method: str) -> tuple[type[Any], Callable[[Any], nn.Module]]:
    """The config dataclass of a method and the network that is built from one."""
    match method:
        case "deepfill_v2":
            from gatefill.methods.deepfill_v2 import DeepFillV2Config, DeepFillV2Network

            return DeepFillV2Config, DeepFillV2Network
        case "deepfill_v1":
            from gatefill.methods.deepfill_v1 import DeepFillV1Config, DeepFillV1Network

            return DeepFillV1Config, DeepFillV1Network
        case "partial_conv":
            from gatefill.methods.partial_conv import PartialConvConfig, PartialConvNetwork

            return PartialConvConfig, PartialConvNetwork
        case "global_local":
            from gatefill.methods.global_local import GlobalLocalConfig, GlobalLocalNetwork

            return GlobalLocalConfig, GlobalLocalNetwork
    raise ValueError(
        "expected weights of deepfill_v2, deepfill_v1, partial_conv or global_local, "
        f"got {method!r:.80}"
    )


def _expect_sane(fields: dict[str, Any]) -> None:
    """Raise ValueError for a number of layers or channels that only a hostile file claims."""
    for name, value in fields.items():
        if isinstance(value, int) and value > MAX_SIZE:
            raise ValueError(
                f"expected the config's field {name!r} as at most {MAX_SIZE}, got {value}"
            )


def shapes_of(build: Callable[[Any], nn.Module], config: object) -> Shapes:
    """The shapes of a network's weights, found without allocating any of them.

    A file may claim any width: the sizes are compared before memory is taken. Raises ValueError
    for a config of which no network can be built.
    """
    import torch

    try:
        with torch.device("meta"):
            network = build(config)
    except (ValueError, RuntimeError, TypeError, ZeroDivisionError, OverflowError) as problem:
        reason = " ".join(str(problem).split())[:200]
        raise ValueError(f"no network can be built of this config: {reason}") from None
    return {name: tuple(value.shape) for name, value in network.state_dict().items()}
