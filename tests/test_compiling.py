"""What numba compiled once is used without numba from then on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gatefill import compiling
from gatefill.compiling import compiled

FILLS = """
import hashlib, logging, sys
import numpy as np
import gatefill

logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(message)s")
inpaint = gatefill.load("patchmatch")
y, x = np.mgrid[:160, :200]
bricks = ((y // 12 % 2 * 9 + x) % 18 > 1) & (y % 12 > 1)  # repeats itself
small = (np.stack([bricks * 150 + 40] * 3, -1) + y[..., None] % 7).astype(np.uint8)
hole = np.zeros((160, 200), np.uint8)
hole[50:90, 60:120] = 255
large = np.ascontiguousarray(np.tile(small, (5, 4, 1)))  # filled at half the size
gap = np.zeros(large.shape[:2], np.uint8)
gap[80:740, 80:740] = 255
for photo, mask in ((small, hole), (large, gap)):
    print(hashlib.sha256(np.asarray(inpaint(photo, mask)).tobytes()).hexdigest())
print("numba" in sys.modules)
"""


def filled(folder: Path) -> tuple[list[str], bool, str]:
    """The fills of a new process, whether it needed numba, and what it logged."""
    done = subprocess.run(
        [sys.executable, "-c", FILLS],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"NUMBA_CACHE_DIR": str(folder)},
    )
    *fills, numba = done.stdout.split()
    return fills, numba == "True", done.stderr


@pytest.mark.skipif(not compiling.KEEPS, reason="machine code is not kept on this system")
def test_a_second_process_needs_no_numba_and_fills_alike(tmp_path: Path) -> None:
    first, compiles, said = filled(tmp_path)
    assert compiles
    assert said.count("compiling") == 1
    assert {path.name.partition("-")[0] for path in tmp_path.iterdir()} >= {
        "measure", "scatter", "sweep", "try_offsets", "vote",
        "_add_wanted", "_relax", "_differences", "_transfer",
    }  # fmt: skip
    second, compiles, said = filled(tmp_path)
    assert not compiles, "nothing had to be compiled"
    assert "compiling" not in said
    assert second == first

    # A file that was cut or damaged is not run; two of them, as the others take long to compile.
    damaged = [*tmp_path.glob("measure-*"), *tmp_path.glob("_relax-*")]
    assert len(damaged) >= 2
    for path in damaged:
        data = bytearray(path.read_bytes())
        data[-40] ^= 0xFF
        path.write_bytes(data)
    again, compiles, _ = filled(tmp_path)
    assert compiles
    assert again == first
    assert not filled(tmp_path)[1], "the damaged files were replaced"


def test_kernels_give_what_their_python_gives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))

    @compiled()
    def add(start, stop, pair, flag, factor, out):
        for i in range(start, stop):
            for j in range(out.shape[1]):
                value = pair[0][i, j] * factor
                out[i, j] = value + pair[1] if flag else value

    dice = np.random.default_rng(0)
    table = dice.random((7, 5), dtype=np.float32)
    for flag in (True, False):
        for kind in (np.float32, np.float64):
            found, wanted = np.zeros((7, 5), kind), np.zeros((7, 5), kind)
            add(1, np.int32(6), (table, 3), flag, np.float32(0.5), found)
            add.function(1, 6, (table, 3), flag, np.float32(0.5), wanted)
            assert wanted.any()
            np.testing.assert_allclose(found, wanted, rtol=1e-6)
    # Arrays that lie otherwise in memory are other kinds of arguments.
    for wide in (np.zeros((7, 10), np.float32, "F"), np.zeros((7, 10), np.float32)):
        for found in (wide[:, :5], wide[:, ::2]):
            wide[:] = 0
            add(0, 7, (table, 1), False, np.float32(2), found)
            np.testing.assert_allclose(found, 2 * table)
            assert np.count_nonzero(wide) == np.count_nonzero(table)
    if compiling.KEEPS:
        assert len(list(tmp_path.glob("add-*.kernel"))) == 4


def test_a_function_that_needs_numba_works_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))

    @compiled()
    def halves(values):
        return np.zeros(3, np.float32) + values / 2

    assert halves(np.arange(3)).tolist() == [0.0, 0.5, 1.0]
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not compiling.KEEPS, reason="that is how it is on this system anyway")
@pytest.mark.slow
def test_where_machine_code_is_not_kept_numba_keeps_its_own(tmp_path: Path) -> None:
    numbas = "from gatefill import compiling; compiling.KEEPS = False\n"
    fills = numbas + FILLS.replace("(small, hole), (large, gap)", "(small, hole),")
    said = [
        subprocess.run(
            [sys.executable, "-c", fills],
            capture_output=True,
            text=True,
            check=True,
            env=os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)},
        ).stdout
        for _ in range(2)
    ]
    assert said[0] == said[1]
    assert list(tmp_path.rglob("*.nbi"))
    assert not list(tmp_path.rglob("*.kernel"))


ELSEWHERE = """
import sys
import llvmlite.binding as llvm
import numpy as np
if sys.argv[1:]:  # as if on a machine with another processor
    llvm.get_host_cpu_name = lambda: sys.argv[1]
import gatefill

photo = np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8)
mask = np.zeros((48, 64), bool)
mask[20:28, 30:40] = True
gatefill.load("patchmatch")(photo, mask)
print("numba" in sys.modules)
"""


@pytest.mark.skipif(not compiling.KEEPS, reason="machine code is not kept on this system")
@pytest.mark.slow
def test_code_for_any_processor_is_used_on_another_machine(tmp_path: Path) -> None:
    """As in container images, which are built on one machine and run on others."""

    def needs_numba(*processor: str) -> str:
        chosen = {"NUMBA_CACHE_DIR": str(tmp_path), "NUMBA_CPU_NAME": "generic"}
        done = subprocess.run(
            [sys.executable, "-c", ELSEWHERE, *processor],
            capture_output=True,
            text=True,
            check=True,
            env=os.environ | chosen,
        )
        return done.stdout.strip()

    assert needs_numba() == "True"
    assert needs_numba("znver5") == "False"
