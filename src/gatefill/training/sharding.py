"""FSDP: shards the generator's weights, gradients and optimizer state over all processes.

PyTorch's `fully_shard` replaces the parameters in place, so that everything else, including
optimizers and the average, works as without sharding. Checkpoints contain whole tensors and are the
same with and without sharding.
"""

from __future__ import annotations

from typing import Any

import torch
from lightning_fabric import Fabric
from lightning_utilities.core.apply_func import apply_to_collection
from torch import Tensor, nn
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_model_state_dict,
    get_optimizer_state_dict,
    set_model_state_dict,
    set_optimizer_state_dict,
)
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor

_WHOLE = StateDictOptions(full_state_dict=True, cpu_offload=True)
_GIVEN = StateDictOptions(full_state_dict=True)

Saved = dict[str, Any]


def shard(network: nn.Module, fabric: Fabric) -> None:
    """Shard a network's parameters over all processes, in place."""
    for parameter in network.parameters():
        # Sharding supports only contiguous parameters.
        parameter.data = parameter.data.contiguous()
    fully_shard(network, mesh=init_device_mesh(fabric.device.type, (fabric.world_size,)))


def is_sharded(network: nn.Module) -> bool:
    return isinstance(network, FSDPModule)


class ShardedForward:
    """Calls a sharded network in the run's precision and returns float32 values."""

    def __init__(self, network: nn.Module, fabric: Fabric) -> None:
        self.network, self.fabric = network, fabric

    def __call__(self, *inputs: Any) -> Any:
        with self.fabric.autocast():
            found = self.network(*inputs)
        return apply_to_collection(found, Tensor, _in_float32)


def whole_norm(norm: Tensor) -> Tensor:
    """Return the norm over all processes of gradients that may be sharded."""
    return norm.full_tensor() if isinstance(norm, DTensor) else norm


def whole_state(network: nn.Module) -> Saved:
    """Return the whole weights of a network, on the CPU if sharded; all processes must call it.

    For a sharded network, only the first process gets them.
    """
    if not is_sharded(network):
        return network.state_dict()
    state: Saved = get_model_state_dict(network, options=_WHOLE)
    return state


def load_whole_state(network: nn.Module, state: Saved) -> None:
    """Load full weights into a network; each process keeps its shard."""
    if is_sharded(network):
        set_model_state_dict(network, state, options=_GIVEN)
    else:
        network.load_state_dict(state)


def whole_optimizer(network: nn.Module, optimizer: torch.optim.Optimizer) -> Saved:
    """Return the whole ``state_dict()`` of an optimizer; all processes must call it."""
    if not is_sharded(network):
        return optimizer.state_dict()
    named: Saved = get_optimizer_state_dict(network, optimizer, options=_WHOLE)
    if not named:
        return {}
    # Parameters by number, as without sharding.
    numbers = {name: number for number, (name, _) in enumerate(network.named_parameters())}
    groups = [
        group | {"params": [numbers[name] for name in group["params"]]}
        for group in named["param_groups"]
    ]
    state = {numbers[name]: value for name, value in named["state"].items()}
    return {"state": state, "param_groups": groups}


def load_whole_optimizer(
    network: nn.Module, optimizer: torch.optim.Optimizer, saved: Saved
) -> None:
    """Load a full state into an optimizer; each process keeps its shard."""
    if not is_sharded(network):
        optimizer.load_state_dict(saved)
        return
    names = [name for name, _ in network.named_parameters()]
    groups = [
        group | {"params": [names[number] for number in group["params"]]}
        for group in saved["param_groups"]
    ]
    state = {names[number]: value for number, value in saved["state"].items()}
    set_optimizer_state_dict(
        network, optimizer, {"state": state, "param_groups": groups}, options=_GIVEN
    )


def _in_float32(value: Tensor) -> Tensor:
    return value.float() if value.is_floating_point() else value
