"""How fast samples are made: what one loading process gives, and how many a fast GPU needs.

    python benchmarks/loading.py DATA [--size 256] [--samples 400] [--masks box_or_brush]

Samples are made in this process and counted by its CPU time, so that what else the machine does
does not count. Decoding is the dearest part, which the cache of decoded images saves
(`data.cache_mb`); both are measured, and shards beside files.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import cv2

from gatefill.training.config import DataConfig
from gatefill.training.data import DataSource, make_loader, open_source
from gatefill.training.data.pack import pack

BATCH = 8
FAST = 300  # images a second, of a GPU that trains DeepFill v2 at full width


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--samples", type=int, default=400)
    parser.add_argument("--masks", default="box_or_brush")
    options = parser.parse_args()

    cv2.setNumThreads(0)  # as in a loading process
    files = open_source(options.data)
    some = DataSource(files.name, files.files[:: max(len(files.files) // 100, 1)])
    config = DataConfig(
        size=options.size,
        scale=(0.4, 1.0),
        flip=True,
        masks=options.masks,
        workers=0,
        cache_mb=4096,
    )
    print(f"{len(some.files)} images, samples of {options.size}x{options.size}")
    show("decoded for each sample", some, replace(config, cache_mb=0), options.samples, warm=False)
    show("decoded images kept", some, config, options.samples, warm=True)
    with tempfile.TemporaryDirectory() as folder:
        packed = pack(some, Path(folder) / "shards")
        shards = open_source(packed.pattern)
        show("shards", shards, replace(config, shuffle=8), options.samples, warm=False)


def show(name: str, data: DataSource, config: DataConfig, samples: int, *, warm: bool) -> None:
    """Print images per CPU second, and how many processes keep up with a fast GPU."""
    loader = make_loader(data, config, BATCH)
    for _ in range(2 * len(data.files) // BATCH if warm else 1):
        loader.next()
    started = time.process_time()
    for _ in range(samples // BATCH):
        loader.next()
    speed = samples // BATCH * BATCH / (time.process_time() - started)
    loader.close()
    print(f"{name:<26}{speed:7.0f} per CPU second; {FAST / speed:5.1f} processes for {FAST}")


if __name__ == "__main__":
    main()
