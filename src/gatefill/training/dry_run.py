"""Dry run: config, sizes, memory and speed of a run, measured over ten steps."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from gatefill.parallel import peak_memory
from gatefill.training.config import TrainConfig
from gatefill.training.data import DataSource, make_loader
from gatefill.training.data.loader import lost_loader_said
from gatefill.training.devices import check_processes, make_fabric
from gatefill.training.objectives import make_objective
from gatefill.training.start_from import load_start
from gatefill.training.state import State
from gatefill.training.step import Stepper, to_layout

STEPS = 10
WARM_UP = 2


@dataclass(frozen=True)
class DryRun:
    """Result of a dry run."""

    config: dict[str, Any]
    generator_parameters: int
    critic_parameters: int
    fixed_mb: float  # weights, gradients, optimizer, average
    peak_mb: float  # of the whole process, or of the device's memory, during the steps
    images_per_second: float
    waiting_for_data: float  # share of the time

    @property
    def hours(self) -> float:
        """Estimated hours for the whole budget."""
        if self.config["minutes"] is not None:
            return float(self.config["minutes"]) / 60
        images: int = self.config["images"]
        return images / self.images_per_second / 3600


def dry_run(
    config: TrainConfig,
    data: DataSource,
    devices: str = "auto",
    strategy: str = "auto",
    nodes: int = 1,
    start_from: Path | None = None,
) -> DryRun:
    """Run ten steps with all losses, as at the end of a run, in this process; write nothing.

    The arguments are those of `train`, and checked as they are there.
    """
    check_processes(strategy, nodes)
    fabric = make_fabric(config, devices, "auto", 1)
    torch.manual_seed(config.seed)
    objective = make_objective(config)
    if start_from is not None:
        load_start(objective, config, start_from)
    to_layout(objective, config)
    objective.generator.to(fabric.device)
    state = State(config, objective)
    state.progress.images = config.images - 1
    state.progress.seconds = 60 * (config.minutes or 0) * state.progress.images / config.images
    stepper = Stepper(fabric, config, state)
    part = config.per_process(fabric.world_size)
    loader = make_loader(data, config.data, part, seed=config.seed)
    waited = 0.0

    def batches() -> Any:
        nonlocal waited
        while True:
            started = time.monotonic()
            stored = loader.next()
            waited += time.monotonic() - started
            yield stored.to_batch(fabric.device, config.channel_order, config.channels_last)

    stream = batches()
    with lost_loader_said(), closing(loader):
        for _ in range(WARM_UP):
            stepper.run(stream)
        waited, started = 0.0, time.monotonic()
        for _ in range(STEPS):
            stepper.run(stream)
        seconds = time.monotonic() - started
    peak = _peak_mb(fabric.device)
    generator, critic = _count(objective.generator), _count(objective.critic)
    per_parameter = 4 * 4  # bytes: weight, gradient, and the optimizer's two
    fixed = per_parameter * (generator + critic) + (4 * generator if state.ema else 0)
    return DryRun(
        config=replace(config).as_dict(),
        generator_parameters=generator,
        critic_parameters=critic,
        fixed_mb=fixed / 2**20,
        peak_mb=peak,
        images_per_second=STEPS * config.batch_size / seconds,
        waiting_for_data=waited / seconds,
    )


def _count(network: nn.Module | None) -> int:
    return 0 if network is None else sum(p.numel() for p in network.parameters())


def _peak_mb(device: torch.device) -> float:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    return (peak_memory() or 0) / 2**20
