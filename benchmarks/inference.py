"""Running DeepFill v2 around its hole against the literal whole-frame version in the tests.

Both have the same random weights of the published size, in one process, one after the other, and
the literal version first. Times are seconds of the processor (all threads together), the median of
three runs after one to warm up: what other programs do on the machine hardly changes them. With one
thread they are the time that passes on a quiet core.

    python benchmarks/inference.py            the comparison, in a few minutes
    python benchmarks/inference.py --sweep    time and memory against photo and hole size, too
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.literal_network import literal_forward  # noqa: E402

from gatefill.geometry import Box  # noqa: E402
from gatefill.methods.networks.deepfill_v2 import DeepFillV2Config, DeepFillV2Network  # noqa: E402
from gatefill.runtime.torch import TorchRuntime  # noqa: E402

COMPARED = ((512, 128), (1024, 256))  # sides of photo and hole
LITERAL_MOST = 512  # the literal version keeps tables of (side / 8)^4 numbers, several at a time
LARGE = (3000, 4000, 512)  # height, width, hole
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
    one = torch.rand(2048, 2048).to(dtype)
    one @ one
    return 2 * 2048**3 / seconds(lambda: one @ one, 5)


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
    operations = 0.0
    if kind == "literal":
        pixels = torch.from_numpy(image[..., ::-1].transpose(2, 0, 1)[None].copy()) * 2 - 1
        plane = torch.from_numpy(mask[None, None].astype(np.float32))

        def run() -> object:
            with torch.inference_mode():
                return literal_forward(made, pixels, plane)
    else:
        runtime = TorchRuntime(made, dtype=getattr(torch, kind))
        operations = 2 * runtime.plan(mask).cost

        def run() -> object:
            return runtime.run(image, mask)

    large = height * width > 2**21
    if not large:
        run()
    taken = seconds(run, 1 if large or kind == "literal" else 3)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"seconds": taken, "gigabytes": (peak - base) / 2**20, "operations": operations}


def row(name: str, height: int, width: int, hole: int, kind: str, rate: float) -> dict[str, float]:
    found = measured(kind, height, width, hole)
    share = found["operations"] / found["seconds"] / rate
    print(
        f"{name:<28}{kind:<10}{found['seconds']:8.2f} s{found['gigabytes']:7.2f} GB"
        + (f"{share:8.0%} of the product rate" if found["operations"] else ""),
        flush=True,
    )
    return found


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--one", nargs=4, help=argparse.SUPPRESS)
    options.add_argument("--sweep", action="store_true")
    options.add_argument("--large", action="store_true", help="4000x3000 with 512x512, too")
    given = options.parse_args()
    torch.set_num_threads(1)
    if given.one:
        kind, height, width, hole = given.one
        print(json.dumps(one(kind, int(height), int(width), int(hole))))
        return
    rates = {kind: product_rate(getattr(torch, kind)) for kind in ("float32", "bfloat16")}
    for kind, rate in rates.items():
        print(f"matrix products in {kind}: {rate / 1e9:.0f} GFLOP/s on one thread")
    literal = row("512x512, hole 128x128", 512, 512, 128, "literal", 1.0)
    for side, hole in COMPARED:
        name = f"{side}x{side}, hole {hole}x{hole}"
        whole = literal["seconds"]
        if side > LITERAL_MOST:
            # Convolutions grow with the area, attention with its square: the share of either
            # at 512 is known from their operations.
            whole = scaled_literal(literal["seconds"], side)
            print(f"{name:<28}literal   {whole:8.2f} s  scaled up from 512x512, by operations")
        for kind in ("float32", "bfloat16"):
            found = row(name, side, side, hole, kind, rates[kind])
            print(f"{'':<38}{whole / found['seconds']:8.1f} times as fast as literal")
    if given.large:
        row("4000x3000, hole 512x512", *LARGE, "float32", rates["float32"])
    if given.sweep:
        for side, hole in (*SWEEP_PHOTOS, *SWEEP_HOLES):
            name = f"{side}x{side}, hole {hole}x{hole}"
            row(name, side, side, hole, "float32", rates["float32"])


def scaled_literal(at_512: float, side: int) -> float:
    """The literal version's time at another side, by its operations there and at 512."""

    def operations(length: int) -> float:
        convolutions = 201.6e9 * (length / 512) ** 2
        pairs = (length / 8) ** 4
        return convolutions + pairs * 96 * 2 * (9 + 16)

    return at_512 * operations(side) / operations(512)


if __name__ == "__main__":
    main()
