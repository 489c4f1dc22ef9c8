"""Exponential moving average of the generator's weights, which fills better than the last."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Ema:
    """``average <- decay * average + (1 - decay) * weights`` after each step.

    The decay starts low, min(decay, (1 + n) / (10 + n)), so that the initial weights are forgotten.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.network, self.decay = network.requires_grad_(False).eval(), decay
        self.steps = 0

    @torch.no_grad()
    def update(self, source: nn.Module) -> None:
        """Update the average with the weights of `source`; copy buffers such as running means."""
        self.steps += 1
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        ours: list[Tensor] = list(self.network.parameters())
        theirs: list[Tensor] = list(source.parameters())
        torch._foreach_lerp_(ours, theirs, 1.0 - decay)
        for kept, new in zip(self.network.buffers(), source.buffers(), strict=True):
            kept.copy_(new)
