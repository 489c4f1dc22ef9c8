"""Builds networks without using torch's process-wide random generator."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

Network = TypeVar("Network", bound=nn.Module)

# The functions that `reset_parameters` of torch's layers and ours draw with, from `torch.nn.init`.
_DRAWING = frozenset(
    (
        Tensor.uniform_,
        Tensor.normal_,
        nn.init.uniform_,
        nn.init.normal_,
        nn.init.trunc_normal_,
        nn.init.kaiming_uniform_,
        nn.init.kaiming_normal_,
        nn.init.xavier_uniform_,
        nn.init.xavier_normal_,
    )
)


def seeded(build: Callable[[Any], Network], config: object, seed: int = 0) -> Network:
    """Build a network on the CPU with initial weights that depend on `seed` alone.

    torch's own generator is neither read nor advanced, so that random numbers of other threads and
    of the caller are not affected.

    Args:
        build: The network's class.
        config: Its config.
        seed: Random seed of the weights.

    Returns:
        The network.
    """
    with _OwnGenerator(torch.Generator().manual_seed(seed)):
        return build(config)


class _OwnGenerator(TorchFunctionMode):
    """Draws initial weights from a given generator, within the block and its thread only."""

    def __init__(self, generator: torch.Generator) -> None:
        super().__init__()
        self._generator = generator

    def __torch_function__(
        self,
        function: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        named = dict(kwargs or {})
        if function in _DRAWING:
            named["generator"] = self._generator
        return function(*args, **named)
