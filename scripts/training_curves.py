"""Draw the curves of a run: python scripts/training_curves.py RUN/log.jsonl -o curves.png."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

PANELS = {
    "L1 of the whole frame": ("l1_coarse", "l1_refined"),
    "hinge means of the discriminator": ("d_real", "d_fake", "d_loss"),
    "difference of local spectra": ("spectral",),
    "validation, L1 in the hole, %": ("hole_l1",),
    "validation, PSNR, dB": ("psnr",),
}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("log", type=Path)
    arguments.add_argument("-o", "--output", type=Path, required=True)
    given = arguments.parse_args()
    rows = [json.loads(line) for line in given.log.read_text("utf-8").splitlines()]
    panels = {
        title: {name: points for name in names if (points := _points(rows, title, name))}
        for title, names in PANELS.items()
    }
    panels = {title: lines for title, lines in panels.items() if lines}
    figure, axes = plt.subplots(1, len(panels), figsize=(4 * len(panels), 3), layout="constrained")
    for axis, (title, lines) in zip(np.atleast_1d(axes), panels.items(), strict=True):
        for name, points in lines.items():
            axis.plot(*zip(*points, strict=True), label=name)
        axis.set_title(title, fontsize=10)
        axis.set_xlabel("images")
        axis.legend(fontsize=8)
        axis.grid(alpha=0.3)
    figure.savefig(given.output, dpi=90)


def _points(rows: list[dict[str, Any]], title: str, name: str) -> list[tuple[int, float]]:
    kind = "validation" if title.startswith("validation") else "train"
    return [(row["images"], row[name]) for row in rows if row["kind"] == kind and name in row]


if __name__ == "__main__":
    main()
