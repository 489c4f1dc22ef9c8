"""One step of training: the critic's updates, then the generator's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.distributed.fsdp import FSDPModule

from gatefill.training.config import TrainConfig
from gatefill.training.data.batch import Batch
from gatefill.training.objectives import Losses, Made, Objective
from gatefill.training.optimizers import TensorFlowAdam, rate_factor, set_rate
from gatefill.training.sharding import ShardedForward, is_sharded, whole_norm
from gatefill.training.state import State


class StepOutcome(NamedTuple):
    """The outcome of a step."""

    terms: dict[str, Tensor]
    skipped: int  # updates skipped because of NaN or infinity


class Stepper:
    """Runs steps in one process of a run; all processes step together."""

    def __init__(self, fabric: Fabric, config: TrainConfig, state: State) -> None:
        self.fabric, self.config, self.state = fabric, config, state
        self.objective = state.objective
        self.terms = state.terms
        network = self.objective.generator
        if config.compile:
            network.compile()
        self.generator: Any
        if is_sharded(network):
            self.generator = ShardedForward(network, fabric)
        else:
            self.generator = fabric.setup_module(network)
        if self.objective.critic is not None:
            # The critic is called several times per step, which DistributedDataParallel does not
            # support:
            # each process has its own copy, and gradients are averaged explicitly.
            self.objective.critic.to(fabric.device)

    def run(self, batches: Iterator[Batch]) -> StepOutcome:
        """Run one step with as many batches as it needs."""
        objective, images = self.objective, self.state.scheduled
        turn = objective.turn(images)
        objective.set_mode(images)
        self._set_rates(turn.rate)
        terms: dict[str, Tensor] = {}
        skipped = 0
        buffers = _buffers(objective.generator, objective.critic)

        # critic
        together = self.config.accumulate == 1 and turn.critic == 1 and turn.generator
        together = together and not objective.separate_batches
        parts: list[Batch] = []
        filled: list[Made] = []
        for _ in range(turn.critic):
            parts = self._take(batches)
            if together:
                # One forward pass of the generator is used for both updates.
                filled = [objective.fill(self.generator, batch) for batch in parts]
                skipped += self._critic_update(parts, [_detached(each) for each in filled], terms)
            else:
                skipped += self._critic_update(parts, None, terms)

        # generator
        if turn.generator:
            if not parts or objective.separate_batches:
                parts = self._take(batches)
            skipped += self._generator_update(parts, filled, terms)
        if skipped:
            # A forward pass with NaN may have corrupted running means.
            for buffer, before in buffers:
                buffer.copy_(before)
        return StepOutcome(terms, skipped)

    def _take(self, batches: Iterator[Batch]) -> list[Batch]:
        """Get the parts of one batch."""
        self.state.progress.position += self.config.batch_size
        return [next(batches) for _ in range(self.config.accumulate)]

    def _critic_update(
        self, parts: list[Batch], filled: list[Made] | None, terms: dict[str, Tensor]
    ) -> int:
        critic, optimizer = self.objective.critic, self.state.critic_optimizer
        assert critic is not None
        assert optimizer is not None
        for number, batch in enumerate(parts):
            if filled is None:
                with torch.no_grad():
                    fake = self.objective.fill(self.generator, batch)
            else:
                fake = filled[number]
            losses = self.objective.critic_loss(self._judge, batch, fake)
            (losses.total / len(parts)).backward()  # type: ignore[no-untyped-call]
            _add(terms, losses, len(parts))
        self._average_gradients(critic)
        return int(not self._apply(critic, optimizer, "critic", losses.total, terms))

    def _generator_update(
        self, parts: list[Batch], filled: list[Made], terms: dict[str, Tensor]
    ) -> int:
        objective, images = self.objective, self.state.scheduled
        if objective.critic is not None:
            objective.critic.requires_grad_(False)
        for number, batch in enumerate(parts):
            with self._exchange(last=number == len(parts) - 1):
                found = filled[number] if filled else objective.fill(self.generator, batch)
                losses = objective.generator_loss(self._judge, batch, found, images)
                losses = self.terms.add(losses, batch, found, self._average_gradients)
                self.fabric.backward(losses.total / len(parts))
            _add(terms, losses, len(parts))
        if objective.critic is not None:
            objective.critic.requires_grad_(True)
        for parameter in objective.held(images):
            parameter.grad = None
        done = self._apply(
            objective.generator, self.state.generator_optimizer, "generator", losses.total, terms
        )
        if done and self.state.ema is not None:
            self.state.ema.update(objective.generator)
        return int(not done)

    def _apply(
        self,
        network: nn.Module,
        optimizer: torch.optim.Optimizer,
        name: str,
        loss: Tensor,
        terms: dict[str, Tensor],
    ) -> bool:
        """Clip the gradient and step, unless a value is not finite; return whether it was done."""
        clip = self.config.optimizer.clip
        limit = float("inf") if clip is None else clip
        norm = whole_norm(nn.utils.clip_grad_norm_(network.parameters(), limit))
        terms[f"{name}_gradient"] = norm.detach()
        finite = bool(self._everywhere(torch.isfinite(norm) & torch.isfinite(loss.detach())))
        if finite:
            optimizer.step()
            for other in (self.state.generator_optimizer, self.state.critic_optimizer):
                if other is not optimizer and isinstance(other, TensorFlowAdam):
                    other.others_step()
        optimizer.zero_grad(set_to_none=True)
        return finite

    def _judge(self, *inputs: Any) -> Any:
        """Run the critic in the run's precision; return float32 values."""
        assert self.objective.critic is not None
        with self.fabric.autocast():
            values = self.objective.critic(*inputs)
        if isinstance(values, Tensor):
            return values.float()
        return tuple(value.float() for value in values)

    def _exchange(self, *, last: bool) -> AbstractContextManager[Any]:
        """Exchange gradients of the generator after the last part of a batch only."""
        network = self.objective.generator
        if isinstance(network, FSDPModule):
            network.set_requires_gradient_sync(last)
            return nullcontext()
        return nullcontext() if last else self.fabric.no_backward_sync(self.generator)

    def _set_rates(self, rate: float) -> None:
        options = self.config.optimizer
        rate *= rate_factor(options, self.state.scheduled, self.config.images)
        set_rate(self.state.generator_optimizer, options.lr * rate)
        if self.terms.hinge is not None:
            self.terms.hinge.set_rate(rate)
        if self.state.critic_optimizer is not None:
            set_rate(self.state.critic_optimizer, (options.critic_lr or options.lr) * rate)

    def _average_gradients(self, network: nn.Module) -> None:
        if self.fabric.world_size == 1:
            return
        gradients = [p.grad for p in network.parameters() if p.grad is not None]
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        mean = self.fabric.all_reduce(flat, reduce_op="mean")
        assert isinstance(mean, Tensor)
        parts = torch.split(mean, [gradient.numel() for gradient in gradients])
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view_as(gradient))

    def _everywhere(self, fine: Tensor) -> Tensor:
        """Return whether the condition holds in all processes."""
        if self.fabric.world_size == 1:
            return fine
        count = self.fabric.all_reduce(fine.float(), reduce_op="sum")
        assert isinstance(count, Tensor)
        return count == self.fabric.world_size


def to_layout(objective: Objective, config: TrainConfig) -> None:
    """Convert the weights of both networks to the memory format of the config."""
    layout = torch.channels_last if config.channels_last else torch.contiguous_format
    for network in (objective.generator, objective.critic):
        if network is not None:
            network.to(memory_format=layout)  # type: ignore[call-overload]


def _detached(filled: Made) -> Made:
    return Made(*(None if part is None else part.detach() for part in filled))  # type: ignore[arg-type]


def _add(terms: dict[str, Tensor], losses: Losses, parts: int) -> None:
    """Add the mean over parts to the logged values."""
    for name, value in losses.terms.items():
        terms[name] = terms.get(name, torch.zeros_like(value)) + value.detach() / parts


def _buffers(*networks: nn.Module | None) -> list[tuple[Tensor, Tensor]]:
    """The buffers of networks and copies of their values."""
    return [
        (buffer, buffer.clone())
        for network in networks
        if network is not None
        for buffer in network.buffers()
    ]
