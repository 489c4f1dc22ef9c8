"""Photos to evaluate on, and methods that misbehave. Top-level: workers import them by name."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import PIL.Image

import gatefill
from gatefill.evaluation.contestants import Contestant
from gatefill.inpainter import Inpainter
from gatefill.methods import Fill, MethodInfo
from gatefill.methods.base import Image, Mask, Progress


def texture(seed: int, height: int = 64, width: int = 80) -> np.ndarray:
    """Soft noise with a gradient: no two seeds alike, with structure on several scales."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(128, 60, (height, width, 3)).astype(np.float32)
    soft = cv2.GaussianBlur(noise, (0, 0), 2) * 2 - 128 + np.linspace(-60, 60, width)[:, None]
    return np.clip(soft + noise * 0.1, 0, 255).astype(np.uint8)


def write_photos(folder: Path, count: int = 3, height: int = 64, width: int = 80) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for seed in range(count):
        PIL.Image.fromarray(texture(seed, height, width)).save(folder / f"photo{seed}.png")
    return folder


def write_cutouts(folder: Path) -> Path:
    """A red disc and a blue bar with soft rims."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, color in (("disc", (220, 30, 30)), ("bar", (20, 60, 230))):
        rgba = np.zeros((40, 40, 4), np.uint8)
        rgba[..., :3] = color
        alpha = np.zeros((40, 40), np.uint8)
        if name == "disc":
            cv2.circle(alpha, (20, 20), 15, 255, -1)
        else:
            alpha[15:25, 3:37] = 255
        rgba[..., 3] = cv2.GaussianBlur(alpha, (5, 5), 0)
        PIL.Image.fromarray(rgba).save(folder / f"{name}.png")
    return folder


def write_alexnet(path: Path) -> Path:
    """A file of AlexNet laid out as torchvision's, with random numbers."""
    import torch  # not above: workers, whose memory is measured, import this file

    torch.manual_seed(0)
    shapes = {
        0: (64, 3, 11),
        3: (192, 64, 5),
        6: (384, 192, 3),
        8: (256, 384, 3),
        10: (256, 256, 3),
    }
    tensors = {}
    for layer, (out, into, side) in shapes.items():
        tensors[f"features.{layer}.weight"] = torch.randn(out, into, side, side) / into**0.5 / side
        tensors[f"features.{layer}.bias"] = torch.zeros(out)
    torch.save(tensors, path)
    return path


class Odd:
    """Fills with gray, unless its kind says otherwise."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.info = MethodInfo(kind, kind, "none", False, False, True, False)

    def fill(
        self,
        image: Image,
        mask: Mask,
        sketch: Mask | None = None,  # noqa: ARG002 - the interface's
        progress: Progress | None = None,  # noqa: ARG002
        *,
        search: Mask | None = None,  # noqa: ARG002
    ) -> Fill:
        if self.kind == "raises":
            raise RuntimeError("no idea\nwhat to do")
        if self.kind == "dies" and mask.sum() > 100:
            os._exit(7)
        if self.kind == "hungry":
            np.ones(40_000_000)  # 320 MB
        return Fill(np.full_like(image, 0.5))


def _open(kind: str) -> Inpainter:
    if kind == "unloadable":
        raise ValueError("these are no weights")
    return gatefill.load(Odd(kind))


def odd(kind: str) -> Contestant:
    return Contestant(kind, Odd(kind).info, "1", partial(_open, kind))
