"""Networks out of weights files: the header picks the network, the tensors must fit it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatefill.checkpoints.config import config_from
from gatefill.checkpoints.fit import Shapes, expect_shapes
from gatefill.checkpoints.native import WeightsInfo, load_weights
from gatefill.errors import GatefillError, WeightsError
from gatefill.methods.base import Method
from gatefill.methods.network import NetworkOptions
from gatefill.methods.registry import network_entry, with_network

if TYPE_CHECKING:
    from torch import nn


def load_method(
    path: str | os.PathLike[str], *, device: str = "cpu", options: NetworkOptions | None = None
) -> Method:
    """The method that a weights file is for, ready to fill.

    device: where torch runs it, such as ``"cuda"``. options: how the network is used; None does as
    the file says. Raises WeightsError as `load_network` does, ConfigError for a device that is
    not there; MissingExtra without torch.
    """
    info, network = load_network(path)
    wanted = None if options is None else options.finish
    finish = info.finish if wanted is None else wanted
    return with_network(info.method, network, finish=finish, device=device)


def load_network(path: str | os.PathLike[str]) -> tuple[WeightsInfo, nn.Module]:
    """The network of a weights file, on the CPU in float32, ready for inference.

    Raises WeightsError, in one line, where the file is damaged, or where its config or its tensors
    do not fit the method it names; MissingExtra without torch.
    """
    info, state = load_weights(path)
    try:
        found = network_entry(info.method)
        build = found.load("network")
        config = config_from(found.load("config"), info.config)
        expect_shapes(info.shapes, shapes_of(build, config))
    except GatefillError as problem:
        values = problem.values | {"file": Path(path).name}
        raise WeightsError(f"{Path(path).name}: {problem}", code=problem.code, **values) from None
    network: nn.Module = build(config)
    network.load_state_dict(state)
    return info, network.eval().requires_grad_(False)


def shapes_of(build: Callable[[Any], nn.Module], config: object) -> Shapes:
    """The shapes of a network's weights, found without allocating any of them.

    A file may claim any width: the sizes are compared before memory is taken. Raises WeightsError
    for a config of which no network can be built.
    """
    import torch

    try:
        with torch.device("meta"):
            network = build(config)
    except (ValueError, RuntimeError, TypeError, ZeroDivisionError, OverflowError) as problem:
        reason = " ".join(str(problem).split())[:200]
        raise WeightsError(
            f"no network can be built of this config: {reason}",
            code="weights.no_network",
            reason=reason,
        ) from None
    return {name: tuple(value.shape) for name, value in network.state_dict().items()}
