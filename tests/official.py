"""Arrays made by running the original code, and small conversions between it and us."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from gatefill.checkpoints.official_names import discriminator_from_official, generator_from_official
from gatefill.methods.networks.deepfill_v2 import DeepFillV2Config, DeepFillV2Network
from gatefill.training.discriminators import SNPatchGAN, SNPatchGANConfig

Arrays = dict[str, np.ndarray]

_TRAVELING = Path(__file__).parent / "data" / "official"
_SHARED = Path(__file__).resolve().parents[2] / "shared" / "official"


def arrays(name: str) -> Arrays:
    """The arrays of a run; the small ones travel with the tests, the large ones may be missing."""
    for folder in (_TRAVELING, _SHARED):
        if (folder / f"{name}.npz").is_file():
            with np.load(folder / f"{name}.npz") as file:
                return dict(file)
    pytest.skip(f"needs {name}.npz of the original's runs in ../shared/official")


def nchw(array: np.ndarray) -> Tensor:
    """``BHWC`` -> ``BCHW``."""
    return torch.from_numpy(np.ascontiguousarray(array.transpose(0, 3, 1, 2)))


def nhwc(tensor: Tensor) -> np.ndarray:
    """``BCHW`` -> ``BHWC``."""
    return tensor.detach().permute(0, 2, 3, 1).numpy()


def images_of(run: Arrays) -> Tensor:
    """The photographs of a run as ``B3HW`` BGR in [-1, 1]."""
    pixels = run["image_bgr_u8"].astype(np.float32) / np.float32(127.5) - np.float32(1.0)
    return nchw(pixels.reshape(-1, *pixels.shape[-3:]))


def masks_of(run: Arrays) -> Tensor:
    """The mask of a run, one for all its photographs, ``B1HW``; grays above 127.5 are hole."""
    mask = torch.from_numpy((run["mask_u8"] > 127.5).astype(np.float32))
    return mask.expand(len(images_of(run)), 1, -1, -1).contiguous()


def sketches_of(run: Arrays) -> Tensor | None:
    """The edges of a guided run, ``B1HW``."""
    if "edge_u8" not in run:
        return None
    edges = run["edge_u8"][..., 0]
    edges = edges.reshape(-1, 1, *edges.shape[-2:])
    return torch.from_numpy((edges.astype(np.float32) / 255.0 > 0.6).astype(np.float32))


def generator(weights: Arrays, config: DeepFillV2Config) -> DeepFillV2Network:
    """The network with official weights."""
    network = DeepFillV2Network(config)
    network.load_state_dict(generator_from_official(weights))
    return network


def discriminator(weights: Arrays, config: SNPatchGANConfig) -> SNPatchGAN:
    """The discriminator with official weights."""
    network = SNPatchGAN(config)
    network.load_state_dict(discriminator_from_official(weights))
    return network
