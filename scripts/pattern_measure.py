"""Does a method paint patterns? Peaks in the local spectra of the fills in a report.

    python scripts/pattern_measure.py REPORT

A window of 32x32 pixels inside a hole has a Fourier spectrum; on rings of one frequency the highest
power is divided by the mean. Grain comes to about 7, whatever its color and strength; what repeats
at one distance in one direction, such as a grid of dots or lines, has a higher peak, and so has a
soft fill of a few slow waves. REPORT is a folder of `gatefill compare`; the truth of the same
windows is measured beside the methods, all from its pictures, which are compressed alike.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import PIL.Image
from numpy.typing import NDArray

from gatefill.evaluation.files import slug

SIDE, STEP = 32, 8  # of windows, and from one to the next, in pixels
RIM = 4  # pixels along the rim that are left out
RINGS = ((0.10, 0.15), (0.15, 0.20), (0.20, 0.25), (0.25, 0.30))  # cycles per pixel
GRAY = np.array([0.299, 0.587, 0.114])


def peaks(picture: NDArray[np.uint8], hole: NDArray[np.bool_]) -> Iterator[float]:
    """Of each window inside the hole, the mean over the rings."""
    side = 2 * RIM + 1
    inside = cv2.erode(hole.astype(np.uint8), np.ones((side, side), np.uint8)) > 0
    gray = picture @ GRAY
    taper = np.outer(np.hanning(SIDE), np.hanning(SIDE))
    frequency = np.fft.fftfreq(SIDE)
    radius = np.hypot(frequency[:, None], frequency)
    rings = [(radius >= least) & (radius < most) for least, most in RINGS]
    for top in range(0, gray.shape[0] - SIDE + 1, STEP):
        for left in range(0, gray.shape[1] - SIDE + 1, STEP):
            window = slice(top, top + SIDE), slice(left, left + SIDE)
            if inside[window].all():
                part = gray[window]
                power = np.abs(np.fft.fft2((part - part.mean()) * taper)) ** 2 + 1e-9
                yield float(np.mean([power[ring].max() / power[ring].mean() for ring in rings]))


def main() -> None:
    report = Path(sys.argv[1])
    results = json.loads((report / "results.json").read_text())
    names = {"truth": "truth"} | {name: slug(name) for name in results["config"]["methods"]}
    found: dict[str, list[float]] = {name: [] for name in names}
    for mask in sorted((report / "masks").glob("*.png")):
        hole = np.asarray(PIL.Image.open(mask).convert("L")) > 127
        for name, file in names.items():
            picture = report / "pictures" / mask.stem / f"{file}.webp"
            found[name] += peaks(np.asarray(PIL.Image.open(picture).convert("RGB")), hole)
    print(f"{len(found['truth'])} windows of {SIDE}x{SIDE} pixels")
    for name, values in found.items():
        print(f"{name}: {np.mean(values):.2f}")


if __name__ == "__main__":
    main()
