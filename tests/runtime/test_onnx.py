"""The shipped network by onnxruntime: the same pixels as by torch, and no torch at all."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import gatefill
from gatefill.checkpoints.shipped import FOLDER
from gatefill.errors import ConfigError, WeightsError
from gatefill.export.convert import example
from gatefill.methods.network import NetworkOptions
from gatefill.runtime.onnx import OnnxRuntime

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = FOLDER / "compact.onnx"


@pytest.fixture(scope="module")
def runtime() -> OnnxRuntime:
    return OnnxRuntime(SHIPPED)


@pytest.mark.parametrize("method", ["hybrid", "deepfill_v2"])
@pytest.mark.parametrize("size", [(120, 200), (333, 247)])
def test_pixels_are_those_of_torch_within_a_level(method: str, size: tuple[int, int]) -> None:
    image, mask = example(*size, 4)
    photo = np.rint(image * 255).astype(np.uint8)
    found = {}
    for runtime in ("torch", "onnxruntime"):
        options = NetworkOptions(runtime=runtime)  # type: ignore[arg-type]
        if method == "hybrid":
            from gatefill.methods.hybrid import HybridConfig

            inpaint = gatefill.load(method, config=HybridConfig(network=options))
        else:
            inpaint = gatefill.load(method, options=options)
        result = inpaint(photo, mask)
        found[runtime] = result
    a, b = (np.asarray(each.photo.pixels).astype(int) for each in found.values())
    if method == "deepfill_v2":
        assert np.abs(a - b).max() <= 1
        one, two = (each.attention for each in found.values())
        np.testing.assert_array_equal(one.target, two.target)
        assert (one.source[:, 0] == two.source[:, 0]).mean() > 0.98
    else:  # the guide differs by less than a level; the patches copied are almost all the same
        assert (np.abs(a - b).max(axis=-1) <= 1).mean() > 0.99


def test_it_stands_in_where_torch_came_without_safetensors(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("safetensors", "safetensors.torch"):
        monkeypatch.setitem(sys.modules, name, None)
    image, mask = np.full((48, 64, 3), 90, np.uint8), np.zeros((48, 64), bool)
    mask[20:30, 20:30] = True
    for method in ("hybrid", "deepfill_v2"):
        assert gatefill.load(method)(image, mask).method == method


def test_progress_can_stop_it(runtime: OnnxRuntime) -> None:
    image, mask = example(512, 512, 0)

    class Stopped(Exception):  # noqa: N818 - no error
        pass

    calls = 0

    def stop(_: float) -> None:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise Stopped

    with pytest.raises(Stopped):
        runtime.run(image, mask, progress=stop)
    shares: list[float] = []
    small, hole = example(64, 64, 0)
    runtime.run(small, hole, progress=shares.append)
    assert shares[-1] == 1.0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a system that can fork")
@pytest.mark.timeout(60)
def test_it_works_in_a_fork_and_in_another_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gatefill.runtime.onnx.cores", lambda: 2)
    runtime = OnnxRuntime(SHIPPED)
    image, mask = example(64, 64, 0)
    wanted = runtime.run(image, mask).image
    again = pickle.loads(pickle.dumps(runtime))
    np.testing.assert_array_equal(again.run(image, mask).image, wanted)
    child = os.fork()
    if not child:
        same = np.array_equal(runtime.run(image, mask).image, wanted)
        os._exit(0 if same else 1)
    _, status = os.waitpid(child, 0)
    assert status == 0


def test_other_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "junk.onnx").write_bytes(b"no graph")
    with pytest.raises(WeightsError, match=r"exported by gatefill, got junk\.onnx"):
        gatefill.load(weights=tmp_path / "junk.onnx")
    with pytest.raises(FileNotFoundError):
        OnnxRuntime(tmp_path / "none.onnx")
    with pytest.raises(ConfigError, match="which only onnxruntime runs"):
        gatefill.load(weights=SHIPPED, options=NetworkOptions(runtime="torch"))
    with pytest.raises(ConfigError, match="device 'cpu'"):
        gatefill.load(weights=SHIPPED, device="cuda")


def test_a_file_for_other_programs_says_how_to_make_one_for_gatefill(tmp_path: Path) -> None:
    import onnx

    model = onnx.load(SHIPPED)
    for each in model.metadata_props:
        if each.key == "interface":
            each.value = "photo"
    onnx.save(model, tmp_path / "photo.onnx")
    with pytest.raises(WeightsError, match="interface 'frame'"):
        OnnxRuntime(tmp_path / "photo.onnx")


WITHOUT_TORCH = """
import sys
sys.modules["torch"] = None  # as the import system notes absence
sys.modules["safetensors"] = None
import pytest
sys.exit(pytest.main(["-n", "0", "-q", "-p", "no:cacheprovider", *sys.argv[1:]]))
"""


@pytest.mark.parametrize(
    "file",
    [
        pytest.param("tests/test_inpainter.py", marks=pytest.mark.slow),
        "tests/test_call.py",
        pytest.param("tests/test_cli.py", marks=pytest.mark.slow),
    ],
)
def test_the_tests_of_the_call_pass_with_torch_absent(file: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, file],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:]


def test_the_default_imports_no_torch(tmp_path: Path) -> None:
    code = (
        "import sys, gatefill\n"
        f"gatefill.load()({str(ROOT / 'examples/marsh.jpg')!r}, "
        f"{str(ROOT / 'examples/marsh_mask.png')!r})\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)
