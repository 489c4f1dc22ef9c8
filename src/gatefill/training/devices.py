"""Devices and precision of a run."""

from __future__ import annotations

import logging
from typing import Any, Literal

import torch
from lightning_fabric import Fabric

from gatefill.errors import ConfigError
from gatefill.training.config import TrainConfig

Precision = Literal["32-true", "bf16-mixed"]
STRATEGIES = ("auto", "ddp", "fsdp")


def pick_precision(wanted: str, device: str) -> Precision:
    """Resolve ``auto``: bfloat16 if the hardware supports it, else float32."""
    if wanted != "auto":
        assert wanted in ("32-true", "bf16-mixed")
        return "bf16-mixed" if wanted == "bf16-mixed" else "32-true"
    if device == "cuda":
        return "bf16-mixed" if torch.cuda.is_bf16_supported() else "32-true"
    if device == "cpu" and torch.cpu._is_avx512_bf16_supported():
        return "bf16-mixed"
    return "32-true"


def check_processes(strategy: str, nodes: int) -> None:
    """Raise ConfigError for a strategy that is not in `STRATEGIES`, and for less than one node."""
    if strategy not in STRATEGIES:
        raise ConfigError(
            f"expected a strategy of {', '.join(STRATEGIES)}, got {strategy!r:.80}",
            code="config.value",
            name="strategy",
            value=strategy[:80],
        )
    if nodes < 1:
        raise ConfigError(
            f"expected 1 node or more, got {nodes}",
            code="config.range",
            name="nodes",
            value=nodes,
            least=1,
        )


def make_fabric(config: TrainConfig, devices: str, strategy: str, nodes: int) -> Fabric:
    """Create Lightning Fabric for a run.

    Args:
        config: Config of the run.
        devices: ``auto``, ``cpu``, ``cuda``, a number, or kind and number such as ``cpu:2``. Under
            torchrun and SLURM the processes exist already; otherwise Fabric starts them.
        strategy: One of `STRATEGIES`.
        nodes: Number of machines.

    Raises:
        ConfigError: For devices that are not available, an unknown strategy, or less than one node.
    """
    check_processes(strategy, nodes)
    logging.getLogger("lightning_fabric").setLevel(
        logging.WARNING
    )  # devices and strategy are in run.json
    kind, _, count = devices.partition(":")
    if kind.isdigit():
        kind, count = "auto", kind
    accelerators = {"auto": "auto", "cpu": "cpu", "cuda": "cuda", "gpu": "cuda", "mps": "mps"}
    if kind not in accelerators or (count and not (count.isdigit() and int(count) > 0)):
        raise ConfigError(
            f"expected devices such as auto, cpu, cuda, 2 or cuda:4, got {devices!r}",
            code="device.unknown",
            device=devices[:80],
        )
    accelerator = accelerators[kind]
    if accelerator == "cuda" and not torch.cuda.is_available():
        raise ConfigError(
            "expected a CUDA device for training, but torch sees none",
            code="device.unusable",
            device=devices[:80],
        )
    if accelerator == "auto":
        accelerator = "cuda" if torch.cuda.is_available() else "cpu"
    if accelerator == "cuda":
        torch.backends.cudnn.benchmark = True  # all steps have the same shapes
    number: Any = int(count) if count else ("auto" if accelerator == "cuda" else 1)
    fabric = Fabric(
        accelerator=accelerator,
        devices=number,
        # The loop shards by itself; the rest is the same as with DDP.
        strategy="ddp" if strategy == "fsdp" else strategy,
        num_nodes=nodes,
        precision=pick_precision(config.precision, accelerator),
    )
    fabric.launch()
    return fabric
