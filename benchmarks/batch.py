"""Many photos: `gatefill.batch` against a loop over an `Inpainter` and a process for each photo.

    python benchmarks/batch.py PHOTOS [--count N] [--side N] [--table | --stages | --ray | ...]

All sides fill the same photos with the same masks in one run, each in processes of its own, and
write JPEGs; loop and batch take turns, and medians are shown. The photos are 1024 pixels long; the
holes are brush strokes that cover about 5 %. --table measures processes and threads, --stages the
processor's seconds of reading, filling and writing, --memory what a batch of N photos takes as it
goes on, --ray a cluster of two nodes on this machine.
"""

from __future__ import annotations

import argparse
import compileall
import itertools
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import PIL.Image

import gatefill
from gatefill.batches import BatchProgress
from gatefill.batches.memory import available_cores as cores
from gatefill.masks import BrushConfig, brush, hole_share

LEAST, MOST = 0.04, 0.06  # of the photo, its hole
STROKE = BrushConfig(strokes=(1, 1), width=(8, 30))
QUALITY = 92
GRAIN = 6.0  # levels; the large photo takes 3.2 MB then
ROUNDS = 5
SINGLE = 4  # photos that are filled by a process each; more would tell nothing new

LOOP = """
import sys, time
begun = time.monotonic()
import gatefill
from pathlib import Path
inpaint = gatefill.load()
photos, masks, out = map(Path, sys.argv[1:])
files = sorted(photos.iterdir())
for number, photo in enumerate(files):
    inpaint(photo, masks / f"{photo.stem}.png").save(out / photo.name)
    if number == 0:
        first = time.monotonic()
print(len(files) / (time.monotonic() - begun), (len(files) - 1) / (time.monotonic() - first))
"""

STAGES = """
import sys, time
import gatefill
from gatefill.images import read_photo
from statistics import median
photo, mask, calls = sys.argv[1], sys.argv[2], int(sys.argv[3])
inpaint = gatefill.load()
steps = (
    lambda _: read_photo(photo),
    lambda read: inpaint(read, mask),
    lambda done: done.to_bytes("jpeg"),
)
rounds = []
for _ in range(calls + 1):
    found, times = None, []
    for step in steps:
        begun = time.process_time()
        found = step(found)
        times.append(time.process_time() - begun)
    rounds.append(times)
print(*(median(each) for each in zip(*rounds[1:])))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("--count", type=int, default=40, help="photos of the comparison")
    parser.add_argument("--side", type=int, default=1024, help="pixels of the longer side")
    parser.add_argument("--ray", action="store_true", help="measure a cluster of two nodes")
    parser.add_argument("--table", action="store_true", help="measure processes and threads")
    parser.add_argument("--stages", action="store_true", help="measure the steps of one photo")
    parser.add_argument("--memory", type=int, metavar="N", help="follow a batch of N photos")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        prepare(options.photos, root, options.count, options.side)
        holes = f"{LEAST:.0%} to {MOST:.0%} holes"
        print(f"{options.count} photos of {options.side} px, {holes}, {cores()} cores")
        # Kernels and bytecode are compiled once on a machine, also where PYTHONDONTWRITEBYTECODE
        # would have each process compile all modules again.
        gatefill.load()(root / "in/000.jpg", root / "masks/000.png")
        compileall.compile_dir(Path(gatefill.__file__).parent, quiet=1)
        compare(root, options.count)
        if options.table:
            table(root)
        if options.stages:
            stages(root, options.photos)
        if options.ray:
            two_nodes(root)
        if options.memory:
            memory(root, options.memory)


def prepare(source: Path, root: Path, count: int, side: int) -> None:
    """Photos of one length, and a mask for each."""
    for name in ("in", "masks", "single"):
        (root / name).mkdir()
    files = sorted(each for each in source.rglob("*") if each.suffix in (".jpg", ".jpeg", ".png"))
    places = np.linspace(0, len(files) - 1, count).astype(int)
    for number, file in enumerate(files[place] for place in places):
        image = PIL.Image.open(file).convert("RGB")
        scale = side / max(image.size)
        width, height = round(image.width * scale), round(image.height * scale)
        image.resize((width, height)).save(root / "in" / f"{number:03d}.jpg", quality=QUALITY)
        masks = (brush(height, width, 1000 * number + turn, STROKE) for turn in itertools.count())
        mask = next(each for each in masks if LEAST <= hole_share(each) <= MOST)
        drawn = PIL.Image.fromarray(mask.astype(np.uint8) * 255)
        drawn.save(root / "masks" / f"{number:03d}.png")


def compare(root: Path, count: int) -> None:
    """The three ways; rates of the whole run, and without start-up where there is one only."""
    started = time.monotonic()
    for number in range(min(SINGLE, count)):
        photo, mask = root / "in" / f"{number:03d}.jpg", root / "masks" / f"{number:03d}.png"
        command = ["inpaint", str(photo), str(mask), "-o", str(root / "single" / photo.name)]
        subprocess.run(
            [sys.executable, "-m", "gatefill", *command], capture_output=True, check=True
        )
    single = min(SINGLE, count) / (time.monotonic() - started)
    rounds = [(*loop_over(root), *run(root)) for _ in range(ROUNDS)]
    loop, loop_warm, batch, batch_warm = (median(values) for values in zip(*rounds, strict=True))
    print(f"{'':<34}{'photos/s':>10}{'warm':>8}{'batch is':>10}")
    for name, rate, warm in (
        ("a process for each photo", single, None),
        ("a loop over one Inpainter", loop, loop_warm),
        ("gatefill.batch", batch, batch_warm),
    ):
        shown = "" if warm is None else f"{warm:.2f}"
        print(f"{name:<34}{rate:>10.2f}{shown:>8}{batch / rate:>9.2f}x")
    pairs = ", ".join(f"{row[3]:.2f} to {row[1]:.2f}" for row in rounds)
    print(f"warm photos/s of each round, batch to loop: {pairs}")
    # Other programs can only slow a round down: the quickest of each is the least disturbed.
    best = [max(values) for values in zip(*rounds, strict=True)]
    print(
        f"quickest rounds, batch to loop: {best[2] / best[0]:.2f}x, warm {best[3] / best[1]:.2f}x"
    )


def loop_over(root: Path) -> tuple[float, float]:
    """Photos per second of a loop: of all of it, and after the first photo."""
    with tempfile.TemporaryDirectory(dir=root) as output:
        paths = [str(root / "in"), str(root / "masks"), output]
        done = subprocess.run(
            [sys.executable, "-c", LOOP, *paths], stdout=subprocess.PIPE, text=True, check=True
        )
    whole, warm = map(float, done.stdout.split())
    return whole, warm


def run(root: Path, **how: object) -> tuple[float, float]:
    """Photos per second of a batch: of all of it, and once its processes are warm."""
    options: dict[str, Any] = {**how, "masks": root / "masks"}
    marks: list[tuple[float, int]] = []

    def watch(progress: BatchProgress) -> None:
        marks.append((time.monotonic(), progress.finished))

    with tempfile.TemporaryDirectory(dir=root) as output:
        found = gatefill.batch(root / "in", output, watch=watch, **options)
    assert found.complete, found.failures
    begin = next(mark for mark in marks if mark[1] >= 2 * cores())
    warm = (marks[-1][1] - begin[1]) / (marks[-1][0] - begin[0])
    return found.filled / found.seconds, warm


def table(root: Path) -> None:
    """Processes and threads; twice, as other programs may disturb."""
    print(f"\n{'processes':>9}{'threads':>9}{'warm photos/s':>15}{'again':>8}")
    count = cores()
    pairs = [(1, 1), (1, count), (max(count // 2, 1), 2), (count, 1), (count, 2), (count + 1, 1)]
    pairs = list(dict.fromkeys(pairs))
    first = [run(root, processes=one, threads=other)[1] for one, other in pairs]
    again = [run(root, processes=one, threads=other)[1] for one, other in pairs]
    for (processes, threads), one, two in zip(pairs, first, again, strict=True):
        print(f"{processes:>9}{threads:>9}{one:>15.2f}{two:>8.2f}")


def stages(root: Path, source: Path) -> None:
    """Seconds of the processor for reading, filling and writing one photo, on one thread."""
    print(f"\n{'photo':<14}{'hole':<22}{'decode':>8}{'fill':>8}{'encode':>8}")
    first = root / "in/000.jpg", root / "masks/000.png"
    rows: list[tuple[str, str, Path, Path]] = [("as above", "brush strokes", *first)]
    largest = max(
        (each for each in source.rglob("*.jpg")), key=lambda file: PIL.Image.open(file).size[0]
    )
    photo = root / "large.jpg"
    pixels = np.asarray(PIL.Image.open(largest).convert("RGB").resize((4000, 3000)), np.float32)
    grain = np.random.default_rng(0).normal(0, GRAIN, pixels.shape)  # the detail it lacks
    pixels = np.clip(np.rint(pixels + grain), 0, 255).astype(np.uint8)
    PIL.Image.fromarray(pixels).save(photo, quality=QUALITY)
    for side in (200, 400, 894):
        mask = np.zeros((3000, 4000), np.uint8)
        mask[1300 : 1300 + side, 1500 : 1500 + side] = 255
        drawn = root / f"hole{side}.png"
        PIL.Image.fromarray(mask).save(drawn)
        rows.append(("4000 x 3000", f"{side} x {side}", photo, drawn))
    alone = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    for name, hole, file, mask_file in rows:
        command = [sys.executable, "-c", STAGES, str(file), str(mask_file), "5"]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=alone)
        shown = "".join(f"{float(each):>8.2f}" for each in done.stdout.split())
        print(f"{name:<14}{hole:<22}{shown}")


def two_nodes(root: Path) -> None:
    """The same batch by Ray, on two nodes that share this machine's cores, and locally again."""
    import ray
    from ray.cluster_utils import Cluster

    half = max(cores() // 2, 1)
    cluster: Any = Cluster(initialize_head=True, head_node_args={"num_cpus": half})
    cluster.add_node(num_cpus=half)
    ray.init(cluster.address, log_to_driver=False)
    on_ray = [run(root, ray="auto") for _ in range(2)]
    ray.shutdown()
    cluster.shutdown()
    local = [run(root) for _ in range(2)]
    for name, found in (("Ray, two nodes", on_ray), ("local", local)):
        whole, warm = (max(values) for values in zip(*found, strict=True))
        print(f"{name:<34}{whole:>10.2f}{warm:>8.2f}")


def memory(root: Path, count: int) -> None:
    """Memory of the batch's processes while it fills the same photos again and again."""
    files, here = sorted((root / "in").iterdir()), root / "many"
    here.mkdir()
    lines = [
        f"{here / f'{number:05d}.jpg'}\t{root / 'masks' / files[number % len(files)].stem}.png"
        for number in range(count)
    ]
    for number in range(count):
        (here / f"{number:05d}.jpg").symlink_to(files[number % len(files)])
    (root / "many.txt").write_text("\n".join(lines))
    taken: dict[int, int] = {}

    def watch(progress: BatchProgress) -> None:
        step = progress.finished * 10 // count
        if step not in taken:
            taken[step] = resident()

    gatefill.batch(root / "many.txt", root / "many-out", watch=watch)
    print(f"\nmemory over {count} photos, all processes, MB:")
    print("  " + " ".join(f"{taken[step] >> 20}" for step in sorted(taken)))


def resident() -> int:
    """Bytes of their own that this process's children hold; shared libraries are left out."""
    total = 0
    for thread in Path("/proc/self/task").iterdir():
        for child in (thread / "children").read_text().split():
            text = Path(f"/proc/{child}/status").read_text()
            line = next(line for line in text.splitlines() if line.startswith("RssAnon:"))
            total += int(line.split()[1]) << 10
    return total


if __name__ == "__main__":
    main()
