"""Hybrid and PatchMatch beside PyPatchMatch 2.2.0 and OpenCV's Telea: speed, memory and error.

    python benchmarks/patchmatch.py [--photos DIR] [--cutouts DIR] [--count N] [--grid FILE]

Every photo is brought to 680x512 (cut to shape, then resized) and gets four holes: brush strokes,
a box, thick strokes, and an object that is pasted, masked and removed again, where the original
photo is the truth. All four fill the same holes in turn. Ratios of seconds are taken case by
case, so that a change of the machine's speed does not count.
"""

from __future__ import annotations

import argparse
import importlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.metrics import structural_similarity

import gatefill
from gatefill.images import read_photo
from gatefill.masks import MASKS, place_cutout

HEIGHT, WIDTH = 512, 680
OURS = ("hybrid", "patchmatch")
# width, height of a photo; width, height of its hole
LARGE = ((4000, 3000, 400, 400), (4000, 3000, 1000, 1000), (8000, 6000, 4000, 3000))
KINDS = ("brush", "box", "lama_thick", "object")
Pixels = NDArray[np.uint8]
Case = tuple[str, Pixels, Pixels, NDArray[np.bool_]]  # kind, truth, photo, mask


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=Path, default=Path("examples/photos"))
    parser.add_argument("--cutouts", type=Path, help="cut-outs with alpha; default: drawn shapes")
    parser.add_argument("--count", type=int, default=40, help="how many photos at most")
    parser.add_argument("--grid", type=Path, help="write a picture of some fills, side by side")
    options = parser.parse_args()

    # PyPatchMatch's module has this script's name, and the script's folder comes first
    sys.path = [
        path for path in sys.path if Path(path).resolve() != Path(__file__).resolve().parent
    ]
    patch_match = importlib.import_module("patchmatch.patch_match")

    ours = {name: gatefill.load(name) for name in OURS}
    fillers: dict[str, Callable[[Pixels, NDArray[np.bool_]], Pixels]] = {
        "hybrid": lambda photo, mask: np.asarray(ours["hybrid"](photo, mask)),
        "patchmatch": lambda photo, mask: np.asarray(ours["patchmatch"](photo, mask)),
        "PyPatchMatch": lambda photo, mask: patch_match.inpaint(
            photo, mask.astype(np.uint8), patch_size=3
        ),
        "Telea": lambda photo, mask: np.asarray(
            cv2.inpaint(photo, mask.astype(np.uint8), 3, cv2.INPAINT_TELEA), np.uint8
        ),
    }
    rows: dict[tuple[str, str], list[list[float]]] = {}
    shown: list[Pixels] = []
    for number, (kind, truth, photo, mask) in enumerate(cases(options)):
        blank = np.where(mask[..., None], np.uint8(0), photo)
        if number == 0:
            for name in OURS:
                fillers[name](blank, mask)  # compiles the kernels, once on a machine
        fills = []
        for name, fill in fillers.items():
            started = time.perf_counter()
            filled = np.where(mask[..., None], fill(blank, mask), photo)
            seconds = time.perf_counter() - started
            rows.setdefault((kind, name), []).append([seconds, *errors(truth, filled, mask)])
            fills.append(filled)
        if number % 17 == 0:  # a rule, so that nobody chooses
            marked = np.where(mask[..., None], np.uint8(255), photo)
            shown.append(np.hstack([marked, *fills[:3], truth]))
        print(f"\r{number + 1} fills", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    if not rows:
        sys.exit(f"expected photos in {options.photos}, got none that can be used")
    table(rows)
    large()
    if options.grid is not None:
        sheet = np.vstack(shown[:10])
        small = cv2.resize(sheet, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        cv2.imwrite(
            str(options.grid),
            np.asarray(small)[..., ::-1],
        )


def cases(options: argparse.Namespace):  # type: ignore[no-untyped-def]
    """Yield the cases photo by photo; the masks depend on the photo's place in the list only."""
    paths = sorted(path for path in options.photos.glob("*.jpg") if "filled" not in path.name)
    sizes = {path: read_photo(path).size for path in paths}
    paths = [path for path in paths if min(sizes[path]) >= 340]
    paths = paths[:: max(len(paths) // options.count, 1)][: options.count]
    cutouts = sorted(options.cutouts.glob("*.png")) if options.cutouts else []
    for number, path in enumerate(paths):
        truth = to_shape(np.round(read_photo(path).rgb() * 255).astype(np.uint8))
        for kind in KINDS:
            chance = np.random.default_rng([number, KINDS.index(kind)])
            if kind == "object":
                rgba = blob(chance)
                if cutouts:
                    read = cv2.imread(str(cutouts[number % len(cutouts)]), cv2.IMREAD_UNCHANGED)
                    if read is None or read.ndim != 3 or read.shape[2] != 4:
                        continue
                    rgba = np.asarray(read, np.uint8)[..., [2, 1, 0, 3]]
                placed = place_cutout(rgba, HEIGHT, WIDTH, chance)
                mask = cv2.dilate(placed.mask.view(np.uint8), np.ones((5, 5))).view(np.bool_)
                yield kind, truth, placed.onto(truth), mask
            else:
                yield kind, truth, truth, MASKS[kind](HEIGHT, WIDTH, chance)


def blob(chance: np.random.Generator) -> Pixels:
    """A thing to be removed, of some ellipses: ``HW4``, of which only the shape matters."""
    shape = np.zeros((200, 200), np.uint8)
    for _ in range(5):
        center, axes = chance.integers(60, 140, 2).tolist(), chance.integers(20, 60, 2).tolist()
        cv2.ellipse(shape, center, axes, float(chance.uniform(0, 180)), 0, 360, 255, -1)
    return np.dstack([np.full((200, 200, 3), 128, np.uint8), shape])


def to_shape(photo: Pixels) -> Pixels:
    """The middle of the photo in the shape of the frame, resized to it."""
    height, width = photo.shape[:2]
    scale = min(height / HEIGHT, width / WIDTH)
    rows, columns = int(HEIGHT * scale), int(WIDTH * scale)
    top, left = (height - rows) // 2, (width - columns) // 2
    part = photo[top : top + rows, left : left + columns]
    return np.asarray(cv2.resize(part, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA), np.uint8)


def errors(truth: Pixels, filled: Pixels, mask: NDArray[np.bool_]) -> tuple[float, float, float]:
    """Mean absolute error in the hole in percent, PSNR in dB and SSIM of the whole frame."""
    apart = truth.astype(np.float64) - filled
    psnr = 10 * np.log10(255**2 / max(float((apart**2).mean()), 1e-4))
    similar = float(structural_similarity(truth, filled, channel_axis=2))  # type: ignore[no-untyped-call]
    return float(np.abs(apart[mask]).mean() / 2.55), psnr, similar


def table(rows: dict[tuple[str, str], list[list[float]]]) -> None:
    """Print the means, and the medians of the seconds."""
    print("| hole | method | hole L1 % | PSNR dB | SSIM | seconds, median | times PyPatchMatch |")
    print("|---|---|---|---|---|---|---|")
    ratios: dict[str, list[float]] = {name: [] for name in OURS}
    for (kind, name), values in rows.items():
        measured = np.array(values)
        seconds = measured[:, 0]
        ratio = np.array(rows[kind, "PyPatchMatch"])[:, 0] / seconds
        if name in OURS:
            ratios[name] += ratio.tolist()
        _, l1, psnr, ssim = measured.mean(axis=0)
        print(
            f"| {kind} | {name} | {l1:.2f} | {psnr:.2f} | {ssim:.4f} "
            f"| {np.median(seconds):.3f} | {np.median(ratio):.1f} |"
        )
    for name, found in ratios.items():
        print(
            f"\n{name} is faster than PyPatchMatch by (median of {len(found)} cases): "
            f"{np.median(found):.1f}"
        )
    first, second = ([row[0] for kind in KINDS for row in rows[kind, name]] for name in OURS)
    more = np.subtract(first, second)
    print(f"\n{OURS[0]} takes longer than {OURS[1]} by (median, most): ", end="")
    print(f"{np.median(more):.2f} s, {more.max():.2f} s")


def large() -> None:
    """Large photos with holes of several sizes, each in a process of its own."""
    photo = np.asarray(cv2.imread("examples/marsh.jpg"), np.uint8)
    for width, height, side, other in LARGE:
        whole = np.asarray(cv2.resize(photo, (width, height), interpolation=cv2.INTER_CUBIC))
        grain = np.random.default_rng(0).integers(-12, 13, (height, width, 1), np.int16)
        whole = np.clip(whole + grain, 0, 255).astype(np.uint8)
        mask = np.zeros(whole.shape[:2], np.uint8)
        top, left = (height - other) // 2, (width - side) // 2
        mask[top : top + other, left : left + side] = 255
        with tempfile.TemporaryDirectory() as folder:
            files = [str(Path(folder) / name) for name in ("photo.jpg", "mask.png", "out.jpg")]
            cv2.imwrite(files[0], whole)
            cv2.imwrite(files[1], mask)
            for method in OURS:
                seconds, peak = whole_command(
                    [*files[:2], "-m", method, "-o", files[2], "--overwrite"]
                )
                print(
                    f"{width}x{height}, {side}x{other} hole, {method}, whole command: "
                    f"{seconds:.1f} s, {peak:.2f} GB"
                )


def whole_command(arguments: list[str]) -> tuple[float, float]:
    """Seconds and the peak of memory in GB of one run of ``gatefill inpaint``."""
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "gatefill", "inpaint", *arguments], stdout=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"gatefill inpaint {' '.join(arguments)} failed")
    return time.perf_counter() - started, usage.ru_maxrss / 1e6


if __name__ == "__main__":
    main()
