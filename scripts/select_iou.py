"""How well `select_object` finds objects: cut-outs pasted on photos, boxes with slack.

    python scripts/select_iou.py CUTOUTS PHOTOS [--slack 0.15]

Prints the mean and the quantiles of intersection over union, and the time for each.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gatefill.geometry import bounding_box
from gatefill.masks import select_object

SHARE = (0.2, 0.45)  # of the photo's shorter side that an object is long


def pasted(
    cutout: Image.Image, photo: Image.Image, rng: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """A photo with a cut-out on it, and where that is."""
    side = rng.uniform(*SHARE) * min(photo.size)
    scale = side / max(cutout.size)
    size = (max(8, int(cutout.width * scale)), max(8, int(cutout.height * scale)))
    small = cutout.resize(size, Image.Resampling.LANCZOS)
    place = (
        int(rng.integers(0, photo.width - size[0] + 1)),
        int(rng.integers(0, photo.height - size[1] + 1)),
    )
    canvas = photo.convert("RGBA")
    canvas.alpha_composite(small, place)
    mask = np.zeros((photo.height, photo.width), np.bool_)
    alpha = np.asarray(small)[..., 3] > 127
    mask[place[1] : place[1] + size[1], place[0] : place[0] + size[0]] = alpha
    return np.asarray(canvas.convert("RGB")), mask


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cutouts", type=Path)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--slack", type=float, default=0.15, help="on each side, of the box's side")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    rng = np.random.default_rng(given.seed)
    photos = sorted(given.photos.iterdir())
    shares, seconds = [], []
    for path in sorted(given.cutouts.glob("*.png")):
        photo = Image.open(photos[rng.integers(len(photos))]).convert("RGB")
        image, truth = pasted(Image.open(path).convert("RGBA"), photo, rng)
        tight = bounding_box(truth)
        assert tight is not None
        across, down = round(tight.width * given.slack), round(tight.height * given.slack)
        box = (
            max(0, tight.left - across),
            max(0, tight.top - down),
            min(photo.width, tight.right + across),
            min(photo.height, tight.bottom + down),
        )
        started = time.perf_counter()
        found = select_object(image, box)
        seconds.append(time.perf_counter() - started)
        shares.append(float((found & truth).sum() / (found | truth).sum()))
        print(f"{shares[-1]:.3f}  {path.name}")
    low, middle = np.quantile(shares, [0.1, 0.5])
    print(
        f"{len(shares)} objects: mean IoU {np.mean(shares):.3f}, median {middle:.3f}, "
        f"lowest tenth below {low:.3f}; median {np.median(seconds):.2f} s"
    )


if __name__ == "__main__":
    main()
