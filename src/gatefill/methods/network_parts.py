"""The parts of the methods that run a network; torch is imported only here, when one is chosen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from gatefill.methods.base import Method
from gatefill.methods.infos import METHODS


class NetworkParts(NamedTuple):
    """What a method is built of. All of them are called in the same way."""

    config: type[Any]  # the dataclass above the network
    network: Callable[[Any], Any]  # config -> torch module
    method: Callable[..., Method]  # config=, network=, device= -> method


def has_network(name: str) -> bool:
    """Whether the method of that name is a network."""
    return name in METHODS and METHODS[name].trainable


def network_parts(name: str) -> NetworkParts:
    """The parts of a method that runs a network. Raises ValueError for any other name."""
    match name:
        case "deepfill_v2":
            from gatefill.methods.networks.deepfill_v2 import (
                DeepFillV2,
                DeepFillV2Config,
                DeepFillV2Network,
            )

            return NetworkParts(DeepFillV2Config, DeepFillV2Network, DeepFillV2)
        case "deepfill_v1":
            from gatefill.methods.networks.deepfill_v1 import (
                DeepFillV1,
                DeepFillV1Config,
                DeepFillV1Network,
            )

            return NetworkParts(DeepFillV1Config, DeepFillV1Network, DeepFillV1)
        case "partial_conv":
            from gatefill.methods.networks.partial_conv import (
                PartialConv,
                PartialConvConfig,
                PartialConvNetwork,
            )

            return NetworkParts(PartialConvConfig, PartialConvNetwork, PartialConv)
        case "global_local":
            from gatefill.methods.networks.global_local import (
                GlobalLocal,
                GlobalLocalConfig,
                GlobalLocalNetwork,
            )

            return NetworkParts(GlobalLocalConfig, GlobalLocalNetwork, GlobalLocal)
    known = ", ".join(each for each in METHODS if has_network(each))
    raise ValueError(f"expected a method with a network, one of {known}, got {name!r:.80}")


def check_device(device: str) -> None:
    """Raise ValueError where torch cannot compute on a device of this name here."""
    import torch

    try:
        torch.zeros(1, device=device).add(1)
    except (RuntimeError, AssertionError, NotImplementedError) as problem:
        reason = str(problem).partition("\n")[0][:200]
        raise ValueError(
            f"expected a device that torch can use here, such as 'cpu' or 'cuda', "
            f"got {device!r}: {reason}"
        ) from None
