"""Optimizers and learning rates."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from gatefill.training.config import OptimizerConfig


class TensorFlowAdam(torch.optim.Optimizer):
    """Adam of TensorFlow 1, which was used to train the official weights.

    It differs from torch's in two ways. Epsilon is added to the root without bias correction, so
    it has a larger effect at first (the remark below algorithm 1 of arXiv 1412.6980). All networks
    that share the optimizer share one step count, so the bias correction of the second network
    starts at step two.
    """

    def __init__(
        self, params: Iterable[nn.Parameter], lr: float, betas: tuple[float, float]
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "eps": 1e-8, "steps": 0})

    def others_step(self) -> None:
        """Advance the step count for another network that shares the optimizer."""
        for group in self.param_groups:
            group["steps"] += 1

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Update the parameters by their gradients."""
        assert closure is None
        for group in self.param_groups:
            group["steps"] += 1
            beta1, beta2 = group["betas"]
            first, second = (1.0 - beta ** group["steps"] for beta in group["betas"])
            rate = group["lr"] * math.sqrt(second) / first

            moving = [p for p in group["params"] if p.grad is not None]
            gradients = [p.grad for p in moving]
            means, squares = ([self._slot(p, name) for p in moving] for name in ("mean", "square"))
            torch._foreach_lerp_(means, gradients, 1.0 - beta1)
            torch._foreach_mul_(squares, beta2)
            torch._foreach_addcmul_(squares, gradients, gradients, 1.0 - beta2)
            roots = torch._foreach_sqrt(squares)
            torch._foreach_add_(roots, group["eps"])
            torch._foreach_addcdiv_(moving, means, roots, -rate)

    def _slot(self, parameter: nn.Parameter, name: str) -> Tensor:
        state: dict[str, Any] = self.state[parameter]
        if name not in state:
            state[name] = torch.zeros_like(parameter)
        slot: Tensor = state[name]
        return slot


def make_optimizer(
    parameters: Iterable[nn.Parameter], config: OptimizerConfig, lr: float
) -> torch.optim.Optimizer:
    """Create the optimizer of a config."""
    match config.kind:
        case "tensorflow":
            return TensorFlowAdam(parameters, lr, config.betas)
        case "adadelta":
            return torch.optim.Adadelta(parameters, lr)
        case _:
            return torch.optim.Adam(parameters, lr, config.betas)


def rate_factor(config: OptimizerConfig, images: int, budget: int) -> float:
    """Return the factor on the learning rate after a number of images of the budget."""
    warm = min((images + 1) / config.warmup, 1.0) if config.warmup else 1.0
    if config.schedule == "constant":
        return warm
    done = min(images / budget, 1.0)
    return warm * (config.last + (1.0 - config.last) * 0.5 * (1.0 + math.cos(math.pi * done)))


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Set the learning rate of all parameters."""
    for group in optimizer.param_groups:
        group["lr"] = rate
