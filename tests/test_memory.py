"""Fills keep to a memory limit, as planned from sizes."""

from __future__ import annotations

import re
import subprocess
import sys

import numpy as np
import pytest

from gatefill.images import ImageError
from gatefill.inpainter import Inpainter
from gatefill.methods.patchmatch import PatchMatch
from gatefill.methods.patchmatch.reduced import LARGEST_FRAME, LARGEST_HOLE, halvings
from gatefill.parallel import machine_memory


def pair(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    mask = np.zeros((height, width), bool)
    mask[height // 4 : height // 2, width // 4 : width // 2] = True
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8), mask


def test_what_does_not_fit_is_refused_with_the_size_that_does() -> None:
    inpaint = Inpainter(PatchMatch(), memory_limit=100_000_000)
    with pytest.raises(ImageError, match="expected a photo of at most") as refused:
        inpaint(*pair(900, 1200))
    assert refused.value.code == "image.memory"
    most = refused.value.values["most_height"], refused.value.values["most_width"]
    assert most[0] / most[1] == pytest.approx(0.75, abs=0.01)
    inpaint(*pair(*most))
    with pytest.raises(ImageError, match="expected a photo of at most"):
        inpaint(*pair(most[0] + 20, most[1] + 30))


def test_without_a_limit_nothing_is_refused() -> None:
    Inpainter(PatchMatch())(*pair(90, 120))


def test_large_holes_and_large_frames_are_reduced() -> None:
    assert halvings(LARGEST_FRAME, LARGEST_HOLE) == 0
    assert halvings(LARGEST_FRAME, LARGEST_HOLE + 1) == 1
    assert halvings(LARGEST_FRAME + 1, 100) == 1  # a thin hole across a large photo
    assert halvings(48_000_000, 12_000_000) == 3


MEASURED = """
import sys
import numpy as np
import gatefill
from gatefill.parallel import peak_memory

def scene(side, number):
    photo = np.random.default_rng(number).integers(0, 256, (side, side, 3), dtype=np.uint8)
    mask = np.zeros((side, side), bool)
    mask[side // 4 : side // 2, side // 4 : side // 2] = True
    return photo, mask

inpaint = gatefill.load(sys.argv[1])
inpaint(*scene(64, 0))
photo, mask = scene(1600, 1)
before = peak_memory()
planned = []
import gatefill.inpainter
inpaint.memory_limit = 1
try:
    inpaint(photo, mask)
except gatefill.ImageError as error:
    planned = error.values["megabytes"]
inpaint.memory_limit = None
inpaint(photo, mask)
print("took", (peak_memory() - before) / 1e6, "planned", planned)
"""


@pytest.mark.parametrize("method", ["patchmatch", "hybrid"])
def test_a_fill_takes_no_more_than_is_planned_and_not_much_less(method: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, method], capture_output=True, text=True, check=True
    )
    found = re.search(r"took ([\d.]+) planned (\d+)", done.stdout)
    assert found, done.stdout
    took, planned = float(found[1]), int(found[2])
    assert planned / 3 < took < planned


def test_the_memory_of_the_machine_is_known() -> None:
    assert 1 << 28 < machine_memory() < 1 << 50
