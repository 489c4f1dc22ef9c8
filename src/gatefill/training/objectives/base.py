"""What the loop knows of a method: its networks, whose turn it is, and their losses."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from torch import Tensor, nn

from gatefill.training.config import TrainConfig
from gatefill.training.data.batch import Batch

Generator = Callable[..., Any]
"""The generator as the loop runs it: its forward, on its devices and in its precision."""

Judge = Callable[..., Any]
"""The critic's forward; values come back in float32."""


class Made(NamedTuple):
    """What the generator made of a batch: whole frames ``B3HW``, before compositing."""

    refined: Tensor
    coarse: Tensor | None = None
    offsets: Tensor | None = None  # B2hw, where attention looked, in its own cells


class Losses(NamedTuple):
    """A loss to minimise and what is worth watching of it."""

    total: Tensor
    terms: dict[str, Tensor]


class Turn(NamedTuple):
    """What happens in one step."""

    critic: int  # steps of the critic, before the generator's
    generator: bool
    rate: float = 1.0  # factor on the learning rate


class Objective(ABC):
    """Networks and losses of one method.

    The loop calls `turn`, `set_mode`, and then per turn `fill`, `critic_loss`, `generator_loss`.
    It hands in the networks as they are to be called, because devices and precision are its own
    business.
    """

    generator: nn.Module
    critic: nn.Module | None = None
    separate_batches = False  # each network's step has a batch of its own

    @abstractmethod
    def __init__(self, config: TrainConfig) -> None: ...

    @abstractmethod
    def fill(self, generator: Generator, batch: Batch) -> Made:
        """Run the generator."""

    @abstractmethod
    def generator_loss(self, judge: Judge, batch: Batch, filled: Made, images: int) -> Losses:
        """The loss of what the generator made, which carries its gradient.

        images: how many images the run has trained on so far.
        """

    def critic_loss(self, judge: Judge, batch: Batch, filled: Made) -> Losses:
        """The loss of the critic; `filled` carries no gradient."""
        raise NotImplementedError(f"{type(self).__name__} has no critic")

    def turn(self, images: int) -> Turn:
        """Whose turn it is after so many images."""
        return Turn(critic=0 if self.critic is None else 1, generator=True)

    def set_mode(self, images: int) -> None:
        """Put the networks into training mode, as it is after so many images."""
        self.generator.train()
        if self.critic is not None:
            self.critic.train()

    def held(self, images: int) -> Iterable[nn.Parameter]:
        """Parameters of the generator that do not move after so many images."""
        return ()
