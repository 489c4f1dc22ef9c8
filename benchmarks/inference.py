"""Running DeepFill v2 around its hole against the literal whole-frame version in the tests.

All have the same random weights of the published size; each runs in a process of its own, on one
thread. Times are seconds of the processor, the median of three runs after one to warm up: what
other programs do on the machine hardly changes them, and on a quiet core they are the time that
passes. Memory is what a run adds to its process.

    python benchmarks/inference.py [--plot docs/pictures/inference.png]

It takes about four minutes. The share is that of a product of two matrices of 2048 x 2048: what
the convolutions and the scores of attention would take at its rate, against what the run took.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.literal_network import literal_forward  # noqa: E402

from gatefill.export.model import onnx_model  # noqa: E402
from gatefill.geometry import Box  # noqa: E402
from gatefill.methods.networks.deepfill_v2 import DeepFillV2Config, DeepFillV2Network  # noqa: E402
from gatefill.runtime.onnx import OnnxRuntime  # noqa: E402
from gatefill.runtime.torch import TorchRuntime  # noqa: E402

COMPARED = ((512, 128), (1024, 256))  # sides of photo and hole
LITERAL_MOST = 512  # the literal version keeps tables of (side / 8)^4 numbers, several at a time
ONNX_MOST = 512  # its graph has a table of all pairs of cells, too
LARGE = (3000, 4000, 512)  # height, width, hole
SLOWEST = 3.0  # seconds that one product of the rates may take
SWEEP_PHOTOS = ((512, 128), (768, 128), (1024, 128), (1536, 128), (2048, 128))
SWEEP_HOLES = ((1024, 32), (1024, 64), (1024, 128), (1024, 256), (1024, 384))


def network() -> DeepFillV2Network:
    """The published network with random weights whose outputs are of order one."""
    torch.manual_seed(0)
    made = DeepFillV2Network(DeepFillV2Config())
    for parameter in made.parameters():
        inputs = parameter[0].numel()
        parameter.data.normal_(0, 2.2 / inputs**0.5 if parameter.ndim > 1 else 0.1)
    return made.eval()


def case(height: int, width: int, hole: int) -> tuple[Any, Any]:
    """A photo of noise with a square hole in the middle."""
    image = np.random.default_rng(0).random((height, width, 3), dtype=np.float32)
    mask = np.zeros((height, width), bool)
    top, left = (height - hole) // 2, (width - hole) // 2
    mask[Box(top, left, top + hole, left + hole).slices] = True
    return image, mask


def seconds(run: Callable[[], object], times: int = 3) -> float:
    """Seconds of the processor that a run takes, the median of some."""
    taken = []
    for _ in range(times):
        start = time.process_time()
        run()
        taken.append(time.process_time() - start)
    return statistics.median(taken)


def product_rate(dtype: torch.dtype) -> float:
    """Floating point operations per second of a matrix product."""
    rate = 0.0
    for side in (256, 2048):
        one = torch.rand(side, side).to(dtype)
        if 2 * side**3 > SLOWEST * rate > 0:  # a processor without instructions for the format
            break
        one @ one
        rate = 2 * side**3 / seconds(partial(torch.mm, one, one), 5)
    return rate


def measured(kind: str, height: int, width: int, hole: int) -> dict[str, float]:
    """One run in a process of its own, so that its peak of memory is its own."""
    call = [sys.executable, __file__, "--one", kind, str(height), str(width), str(hole)]
    done = subprocess.run(call, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def one(kind: str, height: int, width: int, hole: int) -> dict[str, float]:
    image, mask = case(height, width, hole)
    made = network()
    base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    run: Callable[[], object]
    runtime = TorchRuntime(made, dtype=getattr(torch, kind, torch.float32))
    operations = floating_operations(runtime, mask)
    if kind == "literal":
        operations = floating_operations(runtime, np.ones_like(mask))
        pixels = torch.from_numpy(image[..., ::-1].transpose(2, 0, 1)[None].copy()) * 2 - 1
        plane = torch.from_numpy(mask[None, None].astype(np.float32))

        def run() -> object:
            with torch.inference_mode():
                return literal_forward(made, pixels, plane)
    elif kind == "onnxruntime":
        operations = floating_operations(runtime, np.ones_like(mask))
        facts = {"gatefill_format": "1", "method": "deepfill_v2", "finish": "false"}
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "network.onnx"
            path.write_bytes(onnx_model(made, facts, interface="frame").SerializeToString())
            exported = OnnxRuntime(path)
        base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

        def run() -> object:
            return exported.run(image, mask)
    else:

        def run() -> object:
            return runtime.run(image, mask)

    large = height * width > 2**21
    if not large:
        run()
    taken = seconds(run, 1 if large or kind == "literal" else 3)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"seconds": taken, "gigabytes": (peak - base) / 2**20, "operations": operations}


def floating_operations(runtime: TorchRuntime, mask: Any) -> float:
    """Those of the convolutions that a plan computes, and of its scores of attention."""
    plan = runtime.plan(mask)
    network: Any = runtime.network
    channels = 4 * network.config.width
    cells = [side // 2 for side in plan.sizes["attention"]]
    looking = sum(box.area for box in plan.regions["attention"]) // 4
    return float(2 * plan.cost + 2 * looking * cells[0] * cells[1] * channels)


def row(name: str, height: int, width: int, hole: int, kind: str, rate: float) -> dict[str, float]:
    found = measured(kind, height, width, hole)
    found["share"] = found["operations"] / found["seconds"] / rate
    print(
        f"{name:<28}{kind:<12}{found['seconds']:8.2f} s{found['gigabytes']:7.2f} GB"
        f"{found['operations'] / 1e9:8.0f} billion operations"
        f"{found['share']:6.0%} of the product rate",
        flush=True,
    )
    return found


def square(side: int, hole: int, kind: str, rate: float) -> dict[str, float]:
    return row(f"{side}x{side}, hole {hole}x{hole}", side, side, hole, kind, rate)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--one", nargs=4, help=argparse.SUPPRESS)
    options.add_argument("--part", choices=("compared", "large", "sweeps"), help="only this part")
    options.add_argument("--plot", type=Path, help="draw the sweeps into this picture")
    given = options.parse_args()
    torch.set_num_threads(1)
    if given.one:
        kind, height, width, hole = given.one
        print(json.dumps(one(kind, int(height), int(width), int(hole))))
        return
    rates = {kind: product_rate(getattr(torch, kind)) for kind in ("float32", "bfloat16")}
    rates["onnxruntime"] = rates["float32"]
    for kind in ("float32", "bfloat16"):
        print(f"matrix products in {kind}: {rates[kind] / 1e9:.0f} GFLOP/s on one thread")
    if given.part in (None, "compared"):
        compare(rates)
    if given.part in (None, "large"):
        small = square(*COMPARED[-1], "float32", rates["float32"])
        large = row("4000x3000, hole 512x512", *LARGE, "float32", rates["float32"])
        print(f"{'':<40}{large['seconds'] / small['seconds']:8.1f} times as long")
    if given.part in (None, "sweeps"):
        photos = [square(*each, "float32", rates["float32"]) for each in SWEEP_PHOTOS]
        holes = [square(*each, "float32", rates["float32"]) for each in SWEEP_HOLES]
        if given.plot:
            plot(photos, holes, given.plot)


def compare(rates: dict[str, float]) -> None:
    """Ours against the literal version."""
    literal = square(*COMPARED[0], "literal", rates["float32"])
    for side, hole in COMPARED:
        whole = literal["seconds"]
        if side > LITERAL_MOST:
            # Convolutions grow with the area, attention with its square: the share of either
            # at 512 is known from their operations.
            whole = scaled_literal(literal["seconds"], side)
            name = f"{side}x{side}, hole {hole}x{hole}"
            print(f"{name:<28}literal     {whole:8.2f} s  scaled up from 512x512, by operations")
        for kind in ("float32", "bfloat16", "onnxruntime"):
            if kind == "onnxruntime" and side > ONNX_MOST:
                continue
            if rates[kind] < rates["float32"]:
                print(f"{'':<28}{kind:<12}left out: this processor has no instructions for it")
                continue
            found = square(side, hole, kind, rates[kind])
            print(f"{'':<40}{whole / found['seconds']:8.1f} times as fast as literal")


def plot(photos: list[dict[str, float]], holes: list[dict[str, float]], target: Path) -> None:
    """Time and memory against the side of the photo, and against that of the hole."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
    sweeps = (
        (photos, SWEEP_PHOTOS, 0, "side of the photo, pixels; hole 128 x 128"),
        (holes, SWEEP_HOLES, 1, "side of the hole, pixels; photo 1024 x 1024"),
    )
    for panel, (found, cases, which, label) in zip(panels, sweeps, strict=True):
        sides = [case[which] for case in cases]
        panel.plot(sides, [each["seconds"] for each in found], "o-", color="#1f6f64")
        most = 1.12 * max(each["seconds"] for each in found)
        panel.set(xlabel=label, ylabel="seconds, one thread", ylim=(0, most))
        panel.yaxis.label.set_color("#1f6f64")
        beside = panel.twinx()
        beside.plot(sides, [each["gigabytes"] for each in found], "s--", color="#b0562c")
        most = 1.12 * max(each["gigabytes"] for each in found)
        beside.set(ylabel="memory, GB", ylim=(0, most))
        beside.yaxis.label.set_color("#b0562c")
        for each, side in zip(found, sides, strict=True):
            panel.annotate(
                f"{each['share']:.0%}",
                (side, each["seconds"]),
                textcoords="offset points",
                xytext=(0, 6),
                ha="center",
                fontsize=8,
            )
    figure.savefig(target, dpi=110)


def scaled_literal(at_512: float, side: int) -> float:
    """The literal version's time at another side, by its operations there and at 512."""

    def operations(length: int) -> float:
        convolutions = 201.6e9 * (length / 512) ** 2
        pairs = (length / 8) ** 4
        return convolutions + pairs * 96 * 2 * (9 + 16)

    return at_512 * operations(side) / operations(512)


if __name__ == "__main__":
    main()
