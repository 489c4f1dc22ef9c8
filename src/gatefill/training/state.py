"""The state of a run, as stored in its checkpoints."""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import dataclass, field, fields
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import nn

from gatefill.training.checkpoints import FORMAT
from gatefill.training.config import TrainConfig
from gatefill.training.ema import Ema
from gatefill.training.objectives import Objective
from gatefill.training.optimizers import make_optimizer
from gatefill.training.resume import Change, changes, check_resumable, fixed
from gatefill.training.sharding import (
    load_whole_optimizer,
    load_whole_state,
    shard,
    whole_optimizer,
    whole_state,
)
from gatefill.training.terms import Terms


@dataclass
class Progress:
    """Progress of a run; stored in its checkpoints."""

    step: int = 0
    images: int = 0  # that the run has trained on
    position: int = (
        0  # samples taken from the data; more than images if a critic has its own batches
    )
    seconds: float = 0.0  # of training, over all sessions
    sessions: int = 0
    skipped: int = 0  # updates skipped because of NaN or infinity
    skipped_in_a_row: int = 0
    best: float | None = None  # best value of the metric `best_by`
    best_step: int | None = None
    started_from: str = ""  # source of the weights that the run started from; "": random ones
    broken: dict[str, str] = field(default_factory=dict)  # image name -> reason
    held_out: list[str] = field(
        default_factory=list
    )  # images for validation, if they were split off
    data: dict[str, Any] = field(
        default_factory=dict
    )  # fingerprint of the data of the last session


class State:
    """Networks, their average, optimizers and progress."""

    def __init__(
        self, config: TrainConfig, objective: Objective, sharded_by: Fabric | None = None
    ) -> None:
        """The generator must be on its device already. sharded_by: shard it over all processes."""
        self.config, self.objective = config, objective
        self.progress = Progress()
        self.ema = Ema(deepcopy(objective.generator), config.ema) if config.ema else None
        self._whole: nn.Module | None = None
        if sharded_by is not None:
            self._whole = deepcopy(objective.generator)
            shard(objective.generator, sharded_by)
            if self.ema is not None:
                shard(self.ema.network, sharded_by)
        options = config.optimizer
        self.generator_optimizer = make_optimizer(
            objective.generator.parameters(), options, options.lr
        )
        self.critic_optimizer = None
        if objective.critic is not None:
            self.critic_optimizer = make_optimizer(
                objective.critic.parameters(), options, options.critic_lr or options.lr
            )

        self.terms = Terms(config, next(objective.generator.parameters()).device)

    @property
    def share(self) -> float:
        """Completed fraction of the budget, in images or in time."""
        if self.config.minutes is None:
            return min(self.progress.images / self.config.images, 1.0)
        return min(self.progress.seconds / (60 * self.config.minutes), 1.0)

    @property
    def scheduled(self) -> int:
        """Position of the schedule in images: those trained on, or derived from the clock."""
        if self.config.minutes is None:
            return self.progress.images
        return int(self.share * self.config.images)

    @property
    def finished(self) -> bool:
        """Whether the budget is used up."""
        return self.share >= 1.0

    def best_generator(self) -> nn.Module:
        """Return the network to validate and export: the averaged one if there is one.

        All processes must call it; for a sharded network only the first gets the right weights.
        """
        best = self.objective.generator if self.ema is None else self.ema.network
        if self._whole is None:
            return best
        weights = whole_state(best)
        if weights:
            self._whole.load_state_dict(weights)
        return self._whole

    def as_dict(self) -> dict[str, Any]:
        """Return the state as tensors and plain values; all processes must call it."""
        generator = self.objective.generator
        critic, critic_optimizer = self.objective.critic, self.critic_optimizer
        return {
            "format": FORMAT,
            "method": self.config.method,
            "config": json.dumps(self.config.as_dict(), default=str),
            "progress": json.dumps(self.progress.__dict__),
            "generator": whole_state(generator),
            "generator_optimizer": whole_optimizer(generator, self.generator_optimizer),
            "critic": None if critic is None else critic.state_dict(),
            "critic_optimizer": None if critic_optimizer is None else critic_optimizer.state_dict(),
            "ema": None if self.ema is None else whole_state(self.ema.network),
            "ema_steps": 0 if self.ema is None else self.ema.steps,
            "hinge": None if self.terms.hinge is None else self.terms.hinge.state_dict(),
            "random": torch.get_rng_state(),
        }

    def load(self, saved: dict[str, Any]) -> list[Change]:
        """Load a saved state; return the settings that have changed.

        Raises:
            ConfigError: If the run has another network, or a setting cannot be changed.
        """
        changed = self._changed(json.loads(saved["config"]))
        generator = self.objective.generator
        load_whole_state(generator, saved["generator"])
        load_whole_optimizer(generator, self.generator_optimizer, saved["generator_optimizer"])
        if self.objective.critic is not None:
            assert self.critic_optimizer is not None
            self.objective.critic.load_state_dict(saved["critic"])
            self.critic_optimizer.load_state_dict(saved["critic_optimizer"])
        if self.ema is not None:
            # If averaging is new in this session, it starts from the current weights.
            load_whole_state(self.ema.network, saved["ema"] or saved["generator"])
            self.ema.steps = saved["ema_steps"]
        hinge = self.terms.hinge
        if (
            hinge is not None and saved.get("hinge") is not None
        ):  # the loss may be new in this session
            hinge.load_state_dict(saved["hinge"])
        self.progress = progress_of(saved)
        if any(change.key == "best_by" for change in changed):
            self.progress.best = None  # `best` is the value of another metric
        torch.set_rng_state(saved["random"])
        return changed

    def _changed(self, before: dict[str, Any]) -> list[Change]:
        now = json.loads(json.dumps(self.config.as_dict(), default=str))
        # Fields excluded from comparison do not affect the weights.
        compared = [part.name for part in fields(self.config.network) if part.compare]
        if before["method"] != now["method"]:
            raise fixed(Change("method", before["method"], now["method"]))
        for name in compared:
            value = before["network"].get(name)
            if value != now["network"][name]:
                raise fixed(Change(f"network.{name}", value, now["network"][name]))
        changed = changes(before, now)
        check_resumable(self.config.method, changed)
        return changed


def progress_of(saved: dict[str, Any]) -> Progress:
    """Return the progress of the run in a checkpoint."""
    return Progress(**json.loads(saved["progress"]))


def mixed_seed(seed: int, rank: int, images: int) -> int:
    """Hash three numbers to one, so that similar inputs give unrelated seeds."""
    mixed = seed
    for part in (rank, images):
        mixed = (mixed * 6364136223846793005 + part * 1442695040888963407 + 1) % 2**63
    return mixed
