"""Small photos, small runs."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from gatefill.methods.networks.deepfill_v2 import DeepFillV2Config
from gatefill.training.config import TrainConfig
from gatefill.training.objectives import DeepFillV2Loss
from gatefill.training.recipes import recipe

REPOSITORY = Path(__file__).resolve().parents[2]


def picture(seed: int, height: int = 72, width: int = 96) -> NDArray[np.uint8]:
    """A smooth random picture with an edge in it, ``HW3``."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 255, (5, 6, 3)).astype(np.uint8)
    image = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    column = int(rng.integers(width // 4, 3 * width // 4))
    image[:, column:] = 255 - image[:, column:]
    return image.astype(np.uint8)


def write_pictures(folder: Path, count: int, suffix: str = ".png") -> list[Path]:
    """A folder of `count` pictures, some of them in a folder of their own."""
    paths = []
    for seed in range(count):
        path = folder / ("inner" if seed % 3 == 2 else ".") / f"picture_{seed:03d}{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(path), picture(seed)[..., ::-1])
        paths.append(path)
    return paths


def tiny(**changes: object) -> TrainConfig:
    """A DeepFill v2 run that takes a second: width 4, 32x32, batches of 2."""
    base = recipe("deepfill-v2-laptop")
    config = replace(
        base,
        network=DeepFillV2Config(width=4, channel_order="rgb"),
        loss=DeepFillV2Loss(
            adversarial=0.01, adversarial_from=4, discriminator_width=4, separate_batches=False
        ),
        data=replace(base.data, size=32, holdout=2, workers=0),
        images=12,
        batch_size=2,
        precision="32-true",
        log_every=4,
        validate_every=8,
        checkpoint_every=4,
    )
    return replace(config, **changes)


def small(method: str) -> TrainConfig:
    """A run of another method that takes a second and passes through all its phases."""
    base = recipe(f"{method}-laptop")
    width = {"width": 2} if hasattr(base.loss, "critic_width") else {}
    network = replace(base.network, width=2 if method != "partial-conv" else 4)
    loss = replace(base.loss, critic_width=2) if width else base.loss
    if method == "partial-conv":
        network = replace(network, levels=4)
        loss = replace(loss, finetune_from=4)
    if method == "global-local":
        loss = replace(loss, completion_images=2, critic_images=2)
    return replace(
        tiny(),
        recipe=base.recipe,
        method=base.method,
        network=network,
        loss=loss,
        images=8,
        ema=0.0 if method == "partial-conv" else 0.9,
        data=replace(tiny().data, masks=base.data.masks),
    )


TINY = [
    "network.width=4",
    "loss.discriminator_width=4",
    "loss.adversarial_from=4",
    "data.size=32",
    "data.holdout=2",
    "data.workers=0",
    "batch_size=2",
    "images=12",
    "precision=32-true",
    "log_every=4",
    "validate_every=8",
    "checkpoint_every=4",
]


def command(*arguments: str, settings: dict[str, object] | None = None) -> list[str]:
    """``gatefill train`` as a process, with the settings of `tiny` and some others."""
    chosen = dict(each.split("=", 1) for each in TINY) | {
        key: str(value) for key, value in (settings or {}).items()
    }
    pairs = [f"--set={key}={value}" for key, value in chosen.items()]
    return [sys.executable, "-m", "gatefill", "train", *arguments, *pairs]


def environment() -> dict[str, str]:
    """One thread a process, and the package from this repository."""
    return os.environ | {"PYTHONPATH": str(REPOSITORY / "src"), "OMP_NUM_THREADS": "1"}


def start(arguments: list[str]) -> subprocess.Popen[str]:
    """A process whose output can be read, the first of a group of its own."""
    return subprocess.Popen(
        arguments,
        env=environment(),
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def same_weights(first: Path, second: Path) -> bool:
    """Whether two weights files hold the same numbers, bit for bit."""
    from safetensors.torch import load_file

    one, two = load_file(first), load_file(second)
    return one.keys() == two.keys() and all(torch.equal(one[key], two[key]) for key in one)
