"""How closely should the hybrid follow its network? Errors of its settings on some photos.

    python scripts/tune_guide.py PHOTOS [--names FILE] [--weights FILE] [--lpips FILE] [--size 256]
        [--grid side=160,256 blur=2,4 weight=0.5,1 patchmatch.sharpness=8,32]

To be run anew for every network, on photos that chose its training and not on those that test it.
Every photo gets a box, brush and thick strokes. FILE of --names lists the photos' names, one
a line; that of --lpips holds AlexNet with the LPIPS layers (see docs/training.md).
"""

from __future__ import annotations

import argparse
import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

import gatefill
from gatefill.evaluation.metrics.base import Pair
from gatefill.evaluation.metrics.errors import hole_l1
from gatefill.evaluation.metrics.patches import sliced_wasserstein
from gatefill.evaluation.metrics.structure import psnr
from gatefill.images import read_photo
from gatefill.masks import MASKS
from gatefill.methods.hybrid import HybridConfig

KINDS = ("box", "brush", "lama_thick")
Pixels = NDArray[np.uint8]


def configs(grid: list[str]) -> dict[str, HybridConfig]:
    """Every combination of the values in a grid, by name; the defaults first."""
    fields = [
        (name, values.split(",")) for name, _, values in (each.partition("=") for each in grid)
    ]
    found = {"defaults": HybridConfig()}
    for chosen in itertools.product(*(values for _, values in fields)):
        config = HybridConfig()
        for (name, _), text in zip(fields, chosen, strict=True):
            inner = name.removeprefix("patchmatch.")
            owner: object = config.patchmatch if inner != name else config
            value = type(getattr(owner, inner))(text)
            if inner != name:
                config = replace(config, patchmatch=replace(config.patchmatch, **{inner: value}))
            else:
                config = replace(config, **{inner: value})
        named = zip((name for name, _ in fields), chosen, strict=True)
        found[", ".join(f"{name} {text}" for name, text in named)] = config
    return found


def photos(folder: Path, names: Path | None, size: int) -> list[Pixels]:
    """The photos, shrunk so that their longest side is `size`."""
    wanted = None if names is None else set(names.read_text().split())
    found = []
    for path in sorted(folder.glob("*.jpg")):
        if wanted is not None and path.name not in wanted:
            continue
        photo = np.round(read_photo(path).rgb() * 255).astype(np.uint8)
        scale = min(1.0, size / max(photo.shape[:2]))
        width, height = round(photo.shape[1] * scale), round(photo.shape[0] * scale)
        small = cv2.resize(photo, (width, height), interpolation=cv2.INTER_AREA)
        found.append(np.asarray(small, np.uint8))
    return found


def lpips_of(trunk: Any, pair: Pair) -> float:
    """LPIPS of the whole photo."""
    import torch

    from gatefill.training.perceptual import lpips

    output, truth = (
        torch.from_numpy(picture.transpose(2, 0, 1)[None].astype(np.float32) / 127.5 - 1)
        for picture in (pair.output, pair.truth)
    )
    with torch.inference_mode():
        return float(lpips(trunk, output, truth).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("--names", type=Path, help="file of the photos' names; default: all")
    parser.add_argument("--weights", help="of the network; default: those that ship")
    parser.add_argument("--lpips", type=Path, help="AlexNet with the LPIPS layers, .npz")
    parser.add_argument("--size", type=int, default=256, help="longest side, pixels")
    parser.add_argument("--grid", nargs="*", default=["weight=0.5,1", "blur=2,4", "side=160,256"])
    options = parser.parse_args()

    trunk = None
    if options.lpips is not None:
        from gatefill.training.trunks import load_trunk

        trunk = load_trunk(options.lpips)
    truths = photos(options.photos, options.names, options.size)
    print("| settings | hole L1, % | PSNR, dB | patch distance, % | LPIPS |")
    print("|---|---|---|---|---|")
    for name, config in configs(options.grid).items():
        inpaint = gatefill.load("hybrid", config=config, weights=options.weights)
        rows = []
        for number, truth in enumerate(truths):
            for kind in KINDS:
                chance = np.random.default_rng([number, KINDS.index(kind)])
                height, width = truth.shape[:2]
                mask = MASKS[kind](height, width, chance)
                pair = Pair(truth, np.asarray(inpaint(truth, mask)), mask)
                perceived = np.nan if trunk is None else lpips_of(trunk, pair)
                patches = sliced_wasserstein(pair)
                rows.append(
                    [hole_l1(pair), psnr(pair), np.nan if patches is None else patches, perceived]
                )
        error, ratio, patches, perceived = np.nanmean(np.array(rows, float), axis=0)
        print(
            f"| {name} | {error:.2f} | {ratio:.2f} | {patches:.2f} | {perceived:.4f} |", flush=True
        )


if __name__ == "__main__":
    main()
