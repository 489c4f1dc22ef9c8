"""`Objective`: the networks and losses of a method, in the form that the training loop uses."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from torch import Tensor, nn

from gatefill.training.config import TrainConfig
from gatefill.training.data.batch import Batch

Generator = Callable[..., Any]
"""Calls the generator's forward on the devices and in the precision of the run."""

Judge = Callable[..., Any]
"""Calls the critic's forward; returns float32 values."""


class Made(NamedTuple):
    """Output of the generator for a batch: whole images ``B3HW``, before compositing."""

    refined: Tensor
    coarse: Tensor | None = None
    offsets: Tensor | None = None  # B2hw, offsets of attention, in its cells


class Losses(NamedTuple):
    """A loss to minimize and its terms, for the log."""

    total: Tensor
    terms: dict[str, Tensor]


class Turn(NamedTuple):
    """The updates of one step."""

    critic: int  # updates of the critic, before that of the generator
    generator: bool
    rate: float = 1.0  # factor on the learning rate


class Objective(ABC):
    """Networks and losses of one method.

    In each step the loop calls `turn` and `set_mode`, and then `fill`, `critic_loss` and
    `generator_loss`. It passes the networks as callables, because it also handles devices and
    precision.
    """

    generator: nn.Module
    critic: nn.Module | None = None
    separate_batches = False  # whether critic and generator are updated on different batches

    @abstractmethod
    def __init__(self, config: TrainConfig) -> None: ...

    @abstractmethod
    def fill(self, generator: Generator, batch: Batch) -> Made:
        """Run the generator."""

    @abstractmethod
    def generator_loss(self, judge: Judge, batch: Batch, filled: Made, images: int) -> Losses:
        """The loss of the generator; `filled` has a gradient.

        images: number of images that the run has trained on so far.
        """

    def critic_loss(self, judge: Judge, batch: Batch, filled: Made) -> Losses:
        """The loss of the critic; `filled` has no gradient."""
        raise NotImplementedError(f"{type(self).__name__} has no critic")

    def turn(self, images: int) -> Turn:
        """The updates of the next step, after training on `images` images."""
        return Turn(critic=0 if self.critic is None else 1, generator=True)

    def set_mode(self, images: int) -> None:
        """Put the networks into the training mode that applies after `images` images."""
        self.generator.train()
        if self.critic is not None:
            self.critic.train()

    def held(self, images: int) -> Iterable[nn.Parameter]:
        """Parameters of the generator that are frozen after `images` images."""
        return ()
