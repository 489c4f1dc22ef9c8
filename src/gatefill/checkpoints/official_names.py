"""Maps variables of the official DeepFill code to gatefill's names and back: pure functions.

Official names are ``inpaint_net/<layer>/kernel`` and ``/bias``; an upsampling layer contains its
convolution, ``inpaint_net/conv13_upsample/conv13_upsample_conv/kernel``. Kernels are HWIO. Names of
the discriminator are ``discriminator/sn_patch_gan/<layer>/kernel``, ``/bias`` and ``/kernel_sn/u``.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Arrays = dict[str, NDArray[np.float32]]
GENERATOR = "inpaint_net/"
DISCRIMINATOR = "discriminator/sn_patch_gan/"
_PARTS = {"kernel": "weight", "bias": "bias", "kernel_sn/u": "u"}


def generator_from_official(arrays: Arrays) -> dict[str, Tensor]:
    """Convert official variables to a generator's state; other variables are ignored."""
    return _from_official(arrays, GENERATOR)


def discriminator_from_official(arrays: Arrays) -> dict[str, Tensor]:
    """Convert official variables to an SN-PatchGAN's state; other variables are ignored."""
    return _from_official(arrays, DISCRIMINATOR)


def generator_to_official(state: dict[str, Tensor]) -> Arrays:
    """Convert a generator's state to official variables."""
    return _to_official(state, GENERATOR)


def discriminator_to_official(state: dict[str, Tensor]) -> Arrays:
    """Convert an SN-PatchGAN's state to official variables."""
    return _to_official(state, DISCRIMINATOR)


def _from_official(arrays: Arrays, prefix: str) -> dict[str, Tensor]:
    state = {}
    for name, array in arrays.items():
        if not name.startswith(prefix):
            continue
        layer, _, part = name.removeprefix(prefix).partition("/")
        part = part.removeprefix(f"{layer}_conv/")
        if part not in _PARTS:
            continue  # a slot of the optimizer
        array = array.transpose(3, 2, 0, 1) if part == "kernel" else array
        state[f"{layer}.{_PARTS[part]}"] = torch.from_numpy(np.ascontiguousarray(array))
    return state


def _to_official(state: dict[str, Tensor], prefix: str) -> Arrays:
    official = {ours: part for part, ours in _PARTS.items()}
    arrays: Arrays = {}
    for name, value in state.items():
        layer, _, part = name.rpartition(".")
        array = value.detach().cpu().numpy()
        array = array.transpose(2, 3, 1, 0) if part == "weight" else array
        nested = f"{layer}/{layer}_conv" if layer.endswith("_upsample") else layer
        arrays[f"{prefix}{nested}/{official[part]}"] = np.ascontiguousarray(array)
    return arrays
