"""From the command to the filled photo: what of it is start-up.

Runs `gatefill inpaint` on examples/marsh.jpg in processes of their own: with the default as it is,
by torch, and with PatchMatch, in turns. Prints medians of the processor's seconds and
of those that pass.

    python benchmarks/startup.py [--rounds 5]
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PHOTO, MASK = ROOT / "examples" / "marsh.jpg", ROOT / "examples" / "marsh_mask.png"
VARIANTS = {
    "default, by onnxruntime": [],
    "default, by torch": ["--runtime", "torch"],
    "patchmatch": ["--method", "patchmatch"],
    "start-up alone (--version)": None,
}


def taken(options: list[str] | None, target: Path) -> tuple[float, float]:
    """Seconds of the processor and seconds that pass for one command."""
    command = [sys.executable, "-m", "gatefill"]
    if options is None:
        command.append("--version")
    else:
        command += ["inpaint", str(PHOTO), str(MASK), "-o", str(target), *options]
    before, started = os.times(), time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    after, passed = os.times(), time.perf_counter() - started
    spent = after.children_user - before.children_user
    return spent + after.children_system - before.children_system, passed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in VARIANTS}
    with tempfile.TemporaryDirectory() as folder:
        for options in VARIANTS.values():  # compiled kernels and read files
            taken(options, Path(folder) / "out.jpg")
        for _ in range(rounds):
            for name, options in VARIANTS.items():
                found[name].append(taken(options, Path(folder) / "out.jpg"))
    for name, times in found.items():
        processor, passed = (statistics.median(each) for each in zip(*times, strict=True))
        print(f"{name:<28}{processor:6.2f} s of the processor{passed:8.2f} s")


if __name__ == "__main__":
    main()
