"""Repeat the paper's comparison at a scale of your own: train every method alike, then compare.

    python scripts/paper_experiment.py OUT --data PHOTOS --test TEST_PHOTOS --images 20000

Trains Global & Local, DeepFill v1, Partial Convolution and DeepFill v2, and DeepFill v2 with other
convolutions and without SN-PatchGAN, on the same photos, for the same number of images at the same
size. Then it compares them on test photos with rectangular and free-form holes, and measures the
properties of the paper's first table. OUT gets runs/, report/, properties.json, paper.md,
curves.png and rows.jpg; --document puts the tables into docs/paper.md.

Run the same command again to go on after an interruption; what is finished is not done again. With
a GPU, --jobs trains several networks at once on it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import log2
from pathlib import Path
from typing import Any

from gatefill.training.recipes import recipe as recipe_named
from paper_properties import measure_properties
from paper_tables import write_results

ROOT = Path(__file__).resolve().parents[1]
FULL_WIDTH = {"global_local": 64, "deepfill_v1": 32, "partial_conv": 64, "deepfill_v2": 24}


@dataclass(frozen=True)
class Run:
    """A network that is trained."""

    name: str
    method: str
    recipe: str
    settings: tuple[str, ...] = ()


RUNS = (
    Run("global_local", "global_local", "global-local-laptop"),
    Run("deepfill_v1", "deepfill_v1", "deepfill-v1-laptop"),
    Run("partial_conv", "partial_conv", "partial-conv-laptop"),
    Run("deepfill_v2", "deepfill_v2", "deepfill-v2-laptop"),
    *(
        Run(f"v2_{kind}", "deepfill_v2", "deepfill-v2-laptop", (f"network.kind={kind}",))
        for kind in ("single_gate", "partial", "vanilla")
    ),
    Run("v2_no_gan", "deepfill_v2", "deepfill-v2-laptop", ("loss.adversarial=0",)),
    # For the last property of the first table only.
    Run("v2_guided", "deepfill_v2", "deepfill-v2-guided-laptop"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--data", required=True, help="as gatefill train takes it")
    parser.add_argument("--validate", help="validation photos; default: some of the data")
    parser.add_argument(
        "--test", type=Path, nargs="+", required=True, help="test photos, or lists of them"
    )
    parser.add_argument("--images", type=int, default=20_000, help="budget of each network")
    parser.add_argument("--size", type=int, default=128, help="side of samples and of test photos")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--width", choices=("compact", "full"), default="compact")
    parser.add_argument(
        "--masks",
        choices=("recipe", "both"),
        default="recipe",
        help="train with each paper's holes, or all with boxes and strokes",
    )
    parser.add_argument("--vgg", type=Path, help="VGG-16, for Partial Convolution's own losses")
    parser.add_argument("--limit", type=int, help="at most so many test photos")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--jobs", type=int, default=1, help="trainings at once")
    parser.add_argument(
        "--only", nargs="+", default=[], metavar="RUN", help="train and compare these only"
    )
    parser.add_argument(
        "--perceptual", action="store_true", help="measure LPIPS and DISTS, after `gatefill fetch`"
    )
    parser.add_argument("--document", type=Path, help="put the results into this file")
    given = parser.parse_args()
    given.test = [path for place in given.test for path in listed(place)]
    runs = [run for run in RUNS if not given.only or run.name in given.only]
    with ThreadPoolExecutor(max(given.jobs, 1)) as pool:
        list(pool.map(lambda run: train(run, given), runs))
    weights = {run.name: given.out / "runs" / run.name / "best.safetensors" for run in runs}
    compare(runs, weights, given)
    properties = given.out / "properties.json"
    if not properties.exists():
        found = measure_properties(weights, given.test, given.size, device_of(given))
        properties.write_text(json.dumps(found, indent=1), "utf-8")
    write_results(given.out, vars(given), given.document)
    print(f"done: {given.out / 'paper.md'}")


def listed(place: Path) -> list[Path]:
    """A folder or a photo itself; of a text file the paths in it."""
    if place.suffix != ".txt":
        return [place]
    return [Path(line) for line in place.read_text("utf-8").splitlines() if line.strip()]


def train(run: Run, given: argparse.Namespace) -> None:
    """Train a network, or go on with it; what is finished is left alone."""
    folder = given.out / "runs" / run.name
    done, log = folder.with_suffix(".done"), folder.with_suffix(".log")
    command = [sys.executable, "-m", "gatefill", "train", run.recipe, "--data", given.data]
    command += ["-o", str(folder), "--devices", given.device, "--data-name", "the experiment's"]
    command += ["--json"]
    if given.validate:
        command += ["--validate", given.validate]
    for setting in settings(run, given):
        command += ["--set", setting]
    asked = json.dumps(command[4:])
    if done.exists() and done.read_text("utf-8") == asked:
        return
    print(f"training {run.name}: {given.images:,} images")
    folder.parent.mkdir(parents=True, exist_ok=True)
    threads = max((os.cpu_count() or 1) // max(given.jobs, 1), 1)
    environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
    with log.open("a", encoding="utf-8") as errors:
        result = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment, check=False
        )
    if result.returncode or not json.loads(result.stdout)["finished"]:
        raise SystemExit(f"{run.name} stopped with status {result.returncode}: see {log}")
    done.write_text(asked, "utf-8")


def settings(run: Run, given: argparse.Namespace) -> list[str]:
    """What makes the runs alike: budget, size, batch, crops; phases keep their shares of it."""
    config: Any = recipe_named(run.recipe)
    share = given.images / config.images

    def scaled(images: int) -> int:
        return max(int(images * share), 1)

    found = [f"images={given.images}", f"batch_size={given.batch}", f"data.size={given.size}"]
    found += ["data.random_crop=true", "data.scale=0.3,1.0", "data.flip=true", "best_by=hole_l1"]
    found += [f"optimizer.warmup={scaled(config.optimizer.warmup)}"]
    every = max(given.images // 20, 10 * given.batch)
    found += [f"{name}={every}" for name in ("log_every", "validate_every", "checkpoint_every")]
    for name in ("adversarial_from", "completion_images", "critic_images", "finetune_from"):
        if getattr(config.loss, name, None):
            found.append(f"loss.{name}={scaled(getattr(config.loss, name))}")
    if run.method == "partial_conv":
        found.append(f"network.levels={int(log2(given.size)) - 1}")
        if given.vgg:
            found += [f"loss.vgg={given.vgg}", "loss.perceptual=0.05", "loss.style=120"]
    if given.width == "full":
        found.append(f"network.width={FULL_WIDTH[run.method]}")
    if given.masks == "both":
        found.append("data.masks=box_or_brush")
    return [*found, *run.settings]


def compare(runs: list[Run], weights: dict[str, Path], given: argparse.Namespace) -> None:
    """Compare all on the test photos; the report knows what is done already."""
    command = [sys.executable, "-m", "gatefill", "compare", *map(str, given.test)]
    command += ["--methods", "patchmatch"]
    command += [f"{run.name}={run.method}:{weights[run.name]}" for run in runs]
    command += [
        "--masks",
        "box",
        "brush",
        "--size",
        str(given.size),
        "-o",
        str(given.out / "report"),
    ]
    command += ["--device", device_of(given)]
    if given.limit:
        command += ["--limit", str(given.limit)]
    if given.perceptual:
        command.append("--perceptual")
    subprocess.run(command, check=True)


def device_of(given: argparse.Namespace) -> str:
    """Where networks fill."""
    if given.device != "auto":
        return str(given.device)
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


if __name__ == "__main__":
    main()
