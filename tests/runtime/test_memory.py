"""What a run takes at its peak stays below the limit, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")

SIDE, LIMIT = 1024, 48  # pixels; megabytes
FRAME = SIDE * SIDE * 3 * 4 / 2**20  # megabytes of one frame; a handful comes on top of the limit

RUN = f"""
import resource
import numpy as np, torch
from gatefill.methods.networks.deepfill_v2 import DeepFillV2Config, DeepFillV2Network
from gatefill.runtime.torch import TorchRuntime
from tests.runtime.test_torch import loud

torch.set_num_threads(1)
network = loud(DeepFillV2Network(DeepFillV2Config(width=8)), seed=0)
runtime = TorchRuntime(network, memory_limit={LIMIT} << 20)
image = np.random.default_rng(0).random(({SIDE}, {SIDE}, 3), dtype=np.float32)
mask = np.zeros(({SIDE}, {SIDE}), bool)
mask[384:640, 384:640] = True
runtime.run(image[448:576, 448:576].copy(), np.eye(128, dtype=bool))  # what torch sets up once
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
found = runtime.run(image, mask)
assert found.image[mask].std() > 0.02
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 2**10)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="counts peak memory in kilobytes, as on Linux")
@pytest.mark.slow
def test_the_peak_of_a_run_stays_below_the_limit() -> None:
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", RUN],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join((str(root), str(root / "src")))},
    )
    assert float(done.stdout) < LIMIT + 5 * FRAME
