"""Arrays of the original code's training steps, and the networks that they start from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from gatefill.checkpoints.official_names import discriminator_from_official, generator_from_official
from gatefill.training.data.batch import Batch
from gatefill.training.objectives import DeepFillV2Objective

Arrays = dict[str, np.ndarray]

TRAVELLING = Path(__file__).parents[1] / "data" / "official"
SHARED = Path(__file__).resolve().parents[3] / "shared" / "official"


def arrays(name: str) -> Arrays:
    """The arrays of a run; the small ones travel with the tests, the large ones may be missing."""
    for folder in (TRAVELLING, SHARED):
        if (folder / f"{name}.npz").is_file():
            with np.load(folder / f"{name}.npz") as file:
                return dict(file)
    pytest.skip(f"needs {name}.npz of the original's runs in ../shared/official")


def batch_of(run: Arrays) -> Batch:
    """The images of a run with its mask, one for all, and its edges if it has some."""
    images = run["image_bgr_u8"].astype(np.float32) / np.float32(127.5) - np.float32(1.0)
    image = torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2)))
    mask = torch.from_numpy((run["mask_u8"] > 127.5).astype(np.float32))
    sketch = None
    if "edge_u8" in run:
        edges = run["edge_u8"][:, None, :, :, 0].astype(np.float32) / 255.0
        sketch = torch.from_numpy((edges > 0.6).astype(np.float32))
    return Batch(image, mask.expand(len(image), 1, -1, -1).contiguous(), sketch)


def set_weights(objective: DeepFillV2Objective, *weights: Arrays) -> None:
    """Give both networks official weights."""
    for part in weights:
        generator, critic = generator_from_official(part), discriminator_from_official(part)
        if generator:
            objective.generator.load_state_dict(generator)
        if critic:
            assert objective.critic is not None
            objective.critic.load_state_dict(critic)
