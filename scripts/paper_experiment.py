"""Repeat the paper's comparison at a scale of your own: train every method alike, then compare.

    python scripts/paper_experiment.py OUT --data PHOTOS --test TEST_PHOTOS --images 20000

Trains Global & Local, DeepFill v1, Partial Convolution and DeepFill v2, and DeepFill v2 with other
convolutions and without SN-PatchGAN, on the same photos, for the same number of images at the same
size. Then it compares them on test photos with rectangular and free-form holes, and measures the
properties of the paper's first table. OUT gets runs/, report/, properties.json, paper.md,
curves.png and rows.jpg; --document puts the tables into docs/paper.md.

Run the same command again to go on after an interruption; what is finished is not done again. With
a GPU, --jobs trains several networks at once on it. --compare-only trains nothing: it compares what
lies in OUT/runs, such as networks trained on another machine (of each run NAME/last.safetensors,
NAME/log.jsonl and NAME/run.json).
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

from gatefill.checkpoints import load_network, save_weights
from gatefill.training.recipes import recipe as recipe_named
from paper_properties import FINISHED, measure_properties
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


class TrainingError(Exception):
    """A training did not end."""


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
    parser.add_argument("--data", help="photos to train on, as gatefill train takes them")
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
    parser.add_argument(
        "--sketches",
        choices=("drawn", "files", "both"),
        default="drawn",
        help="what the guided network learns from: drawn edges, files beside the photos, or both",
    )
    parser.add_argument("--limit", type=int, help="at most so many test photos")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--jobs", type=int, default=1, help="trainings at once")
    parser.add_argument(
        "--only",
        nargs="+",
        default=[],
        choices=[run.name for run in RUNS],
        help="train and compare these only",
    )
    parser.add_argument(
        "--compare-only",
        action="store_true",
        help="train nothing: compare the networks in OUT/runs, trained here or elsewhere",
    )
    parser.add_argument(
        "--weights",
        choices=("last", "best"),
        default="last",
        help="compare the networks after all images, or where validation was best",
    )
    parser.add_argument(
        "--perceptual", action="store_true", help="measure LPIPS and DISTS, after `gatefill fetch`"
    )
    parser.add_argument(
        "--pictured",
        type=Path,
        help="names of the photos that rows.jpg may show, one a line; default: all",
    )
    parser.add_argument("--document", type=Path, help="put the results into this file")
    given = parser.parse_args()
    if not (given.data or given.compare_only):
        parser.error("expected --data, or --compare-only for networks that are trained already")
    given.test = [path for place in given.test for path in listed(place)]
    runs = [run for run in RUNS if not given.only or run.name in given.only]
    if not given.compare_only:
        train_all(runs, given)
    weights = {run.name: weights_of(run, given) for run in runs}
    compare(runs, weights, given)
    properties = given.out / "properties.json"
    known = json.loads(properties.read_text("utf-8")) if properties.exists() else {}
    found = measure_properties(weights, given.test, given.size, device_of(given), known)
    properties.write_text(json.dumps(found, indent=1), "utf-8")
    names = given.pictured.read_text("utf-8").splitlines() if given.pictured else None
    write_results(given.out, weights, given.document, names)
    print(f"done: {given.out / 'paper.md'}")


def listed(place: Path) -> list[Path]:
    """A folder or a photo itself; of a text file the paths in it."""
    if place.suffix != ".txt":
        return [place]
    return [Path(line) for line in place.read_text("utf-8").splitlines() if line.strip()]


def train_all(runs: list[Run], given: argparse.Namespace) -> None:
    """Train all, several at once. Where one fails the others go on; then the program ends."""

    def failure(run: Run) -> str | None:
        try:
            train(run, given)
        except TrainingError as error:
            print(error, file=sys.stderr, flush=True)
            return run.name
        return None

    with ThreadPoolExecutor(max(given.jobs, 1)) as pool:
        failed = [name for name in pool.map(failure, runs) if name is not None]
    if failed:
        raise SystemExit(
            f"not compared, as training did not end for {', '.join(failed)}; run the same command "
            "again to go on with it, or leave it out by --only"
        )


def weights_of(run: Run, given: argparse.Namespace) -> Path:
    """The weights that are compared, of the kind asked for where the folder has it."""
    folder: Path = given.out / "runs" / run.name
    names = [given.weights, *({"last", "best"} - {given.weights})]
    found = [path for name in names if (path := folder / f"{name}.safetensors").exists()]
    if not found:
        raise SystemExit(f"{run.name} has no weights in {folder}: train it, or use --only")
    if found[0].stem != given.weights:
        print(f"{run.name} has no {given.weights}.safetensors: {found[0].name} is compared")
    return found[0]


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
        lines = log.read_text("utf-8").strip().splitlines() or [""]
        status = f"status {result.returncode}"
        raise TrainingError(f"{run.name} stopped with {status}: {lines[-1]} (see {log})")
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
    if run.name == "v2_guided" and given.sketches != "drawn":
        found.append(f"data.sketches={given.sketches}")
    return [*found, *run.settings]


def contestants(runs: list[Run], weights: dict[str, Path], out: Path) -> list[str]:
    """What is compared, for `gatefill compare`: each network with what its paper has after it.

    That is nothing but for Global & Local, whose fill is blended into the photo. Two more show what
    comes after a network: Global & Local without it, DeepFill v2 with gatefill's own correction of
    colors at the hole's boundary.
    """
    found = []
    for run in runs:
        file = weights[run.name]
        if run.method not in ("global_local", "deepfill_v2"):  # gatefill has nothing after others
            found.append(f"{run.name}={run.method}:{file}")
            continue
        plain = unfinished(file, out / "unfinished" / run.name)
        if run.name == FINISHED:
            found += [f"{run.name}={run.method}:{file}", f"unblended={run.method}:{plain}"]
            continue
        found.append(f"{run.name}={run.method}:{plain}")
        if run.name == "deepfill_v2":
            found.append(f"corrected={run.method}:{file}")
    return found


def unfinished(weights: Path, folder: Path) -> Path:
    """A copy of weights that says: nothing comes after this network."""
    copy = folder / weights.name
    if not copy.exists() or copy.stat().st_mtime < weights.stat().st_mtime:
        info, network = load_network(weights)
        folder.mkdir(parents=True, exist_ok=True)
        state, config = network.state_dict(), network.config
        save_weights(copy, info.method, config, state, info.provenance, finish=False)
    return copy


def compare(runs: list[Run], weights: dict[str, Path], given: argparse.Namespace) -> None:
    """Compare all on the test photos; the report knows what is done already."""
    command = [sys.executable, "-m", "gatefill", "compare", *map(str, given.test)]
    command += ["--methods", "patchmatch", *contestants(runs, weights, given.out)]
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
    if subprocess.run(command, check=False).returncode:
        report = given.out / "report"
        raise SystemExit(f"not compared, for the reason above; to compare anew, remove {report}")


def device_of(given: argparse.Namespace) -> str:
    """Where networks fill."""
    if given.device != "auto":
        return str(given.device)
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


if __name__ == "__main__":
    main()
