"""Measure what grows out of a dark object into a hole in a pale surface beside it.

    python scripts/dark_neighbors.py LIST [--methods hybrid patchmatch] [--every N] [--sheet FILE]

LIST has one photo per line. In each photo the largest of random boxes is taken that lies in a pale,
smooth surface and has a dark object beside it. The photo itself tells how dark the surface gets, so
what is darker in the fill is the object's shadow, its double, or an island in the sky. --sheet
draws the cases with the most of it: hole, photo, and the fill of each method.
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import PIL.Image
from numpy.typing import NDArray

import gatefill
from gatefill.evaluation.metrics import Pair
from gatefill.evaluation.metrics.errors import hole_l1

Photo = NDArray[np.uint8]

SIDE = 640  # of the photo, at most
TRIES = 1500  # boxes per photo
LENGTHS = 50, 180  # of the box's sides, pixels
PALE, EVEN = 0.5, 0.06  # least mean and largest deviation of the brightness in the box
DARKER = 0.3  # than the mean of the box is what counts as dark
BESIDE = slice(2, 10)  # distances from the box at which it is looked for, pixels
SHARE = 0.04, 0.3  # of the box's outline beside which it is dark
MARGIN = 60  # around the box on the sheet, pixels


class Case(NamedTuple):
    """A photo and the box (top, left, bottom, right) to fill."""

    photo: Photo
    box: tuple[int, int, int, int]

    @property
    def mask(self) -> NDArray[np.bool_]:
        top, left, bottom, right = self.box
        mask = np.zeros(self.photo.shape[:2], bool)
        mask[top:bottom, left:right] = True
        return mask


def find_case(file: Path) -> Case | None:
    """The largest box of a photo that meets the rules above; None without one."""
    image = PIL.Image.open(file).convert("RGB")
    image.thumbnail((SIDE, SIDE), PIL.Image.Resampling.LANCZOS)
    photo = np.asarray(image)
    gray = _gray(photo)
    chance, far = np.random.default_rng(0), BESIDE.stop
    height, width = gray.shape
    best: tuple[int, int, int, int] | None = None
    area = 0
    for _ in range(TRIES):
        tall, wide = (int(length) for length in chance.integers(*LENGTHS, 2))
        if tall * wide <= area or tall > height - 4 * far or wide > width - 4 * far:
            continue
        top = int(chance.integers(far, height - tall - far))
        left = int(chance.integers(far, width - wide - far))
        box = top, left, top + tall, left + wide
        if _fits(gray, box):
            best, area = box, tall * wide
    return None if best is None else Case(photo, best)


def _gray(photo: Photo) -> NDArray[np.float32]:
    return np.asarray(cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY), np.float32) / np.float32(255)


def _fits(gray: NDArray[np.float32], box: tuple[int, int, int, int]) -> bool:
    top, left, bottom, right = box
    inside = gray[top:bottom, left:right]
    mean = inside.mean()
    if mean < PALE or inside.std() > EVEN or inside.min() < mean - DARKER:
        return False
    near, far = BESIDE.start, BESIDE.stop
    sides = (
        gray[top - far : top - near, left:right].mean(axis=0),
        gray[bottom + near : bottom + far, left:right].mean(axis=0),
        gray[top:bottom, left - far : left - near].mean(axis=1),
        gray[top:bottom, right + near : right + far].mean(axis=1),
    )
    return SHARE[0] < float((np.concatenate(sides) < mean - DARKER).mean()) < SHARE[1]


def measure(case: Case, filled: Photo) -> tuple[float, float, float]:
    """Excess of darkness and share of the hole that has it, and hole L1, all in percent."""
    mask = case.mask
    wanted, found = (
        cv2.GaussianBlur(_gray(each), (0, 0), 1.5)[mask] for each in (case.photo, filled)
    )
    limit = np.percentile(wanted, 1) - 0.05
    excess = np.maximum(limit - found, 0).mean()
    share, error = (found < limit - 0.03).mean(), hole_l1(Pair(case.photo, filled, mask))
    return 100 * float(excess), 100 * float(share), error


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("list", type=Path)
    parser.add_argument("--methods", nargs="+", default=["hybrid", "patchmatch"])
    parser.add_argument("--every", type=int, default=1, help="take every Nth case")
    parser.add_argument("--sheet", type=Path, help="a picture of the worst cases")
    parser.add_argument("--rows", type=int, default=8, help="of the picture")
    options = parser.parse_args()
    logging.disable(logging.WARNING)  # remarks about the masks
    lines = dict.fromkeys(options.list.read_text().split("\n"))  # without repetitions
    files = [Path(line) for line in lines if line]
    cases = [case for file in files if (case := find_case(file)) is not None][:: options.every]
    methods: dict[str, Any] = {name: gatefill.load(name) for name in options.methods}
    fills = [
        [np.asarray(fill(case.photo, case.mask)) for fill in methods.values()] for case in cases
    ]
    values = np.array(
        [[measure(case, each) for each in row] for case, row in zip(cases, fills, strict=True)]
    )
    print(f"{len(cases)} cases of {len(files)} photos; excess of darkness, its share, hole L1, %")
    for number, name in enumerate(methods):
        mean = values[:, number].mean(axis=0)
        print(f"{name:<14}" + "".join(f"{value:>8.3f}" for value in mean))
    if options.sheet is not None:
        worst = np.argsort(-values[:, 0, 0])[: options.rows]
        rows = [_row(cases[place], fills[place]) for place in worst]
        PIL.Image.fromarray(np.vstack(rows)).save(options.sheet)


def _row(case: Case, fills: list[Photo]) -> Photo:
    top, left, bottom, right = case.box
    near = (
        slice(max(top - MARGIN, 0), bottom + MARGIN),
        slice(max(left - MARGIN, 0), right + MARGIN),
    )
    hole = case.photo.copy()
    hole[case.mask] = 255, 0, 255
    cells = [
        cv2.resize(each[near], (240, 180), interpolation=cv2.INTER_AREA)
        for each in (hole, case.photo, *fills)
    ]
    return np.hstack([cv2.copyMakeBorder(each, 0, 4, 0, 4, cv2.BORDER_CONSTANT) for each in cells])


if __name__ == "__main__":
    main()
