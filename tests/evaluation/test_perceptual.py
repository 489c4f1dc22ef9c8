"""LPIPS and FID: weights by path, nothing downloaded, nothing run that a file holds."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from gatefill.evaluation import Pair
from gatefill.evaluation.metrics.perceptual import (
    FrechetDistance,
    InceptionFeatures,
    how_to_get,
    lpips_metric,
)
from gatefill.extras import MissingExtra
from tests.evaluation.helpers import texture


@pytest.fixture
def alexnet(tmp_path: Path) -> Path:
    """A file laid out as torchvision's, with random numbers."""
    torch.manual_seed(0)
    shapes = {
        0: (64, 3, 11),
        3: (192, 64, 5),
        6: (384, 192, 3),
        8: (256, 384, 3),
        10: (256, 256, 3),
    }
    tensors = {}
    for layer, (out, into, side) in shapes.items():
        tensors[f"features.{layer}.weight"] = torch.randn(out, into, side, side) / into**0.5 / side
        tensors[f"features.{layer}.bias"] = torch.zeros(out)
    torch.save(tensors, tmp_path / "alexnet.pth")
    return tmp_path / "alexnet.pth"


def test_lpips_grows_with_the_error(alexnet: Path) -> None:
    try:
        import torchvision  # noqa: F401
    except (ImportError, RuntimeError) as error:  # RuntimeError: another torch's build
        pytest.skip(f'needs pip install "gatefill[perceptual]" ({error})')
    metric = lpips_metric(alexnet)
    truth, whole = texture(0), np.ones((64, 80), bool)
    values = [
        metric.measure(Pair(truth, picture, whole))
        for picture in (truth, cv2.GaussianBlur(truth, (0, 0), 1), texture(1))
    ]
    assert values[0] == 0
    assert values == sorted(values)  # type: ignore[type-var]
    assert metric.measure(Pair(truth[:31], truth[:31], whole[:31])) is None


class Trap:
    """What unpickling this would do."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.target,)


@pytest.mark.parametrize("reader", [lpips_metric, InceptionFeatures])
def test_files_that_are_no_weights(reader: object, tmp_path: Path) -> None:
    assert callable(reader)
    path = tmp_path / "trap.pth"
    torch.save({"features.0.weight": Trap(tmp_path / "sprung")}, path)
    with pytest.raises(ValueError, match=r"a file of tensors written by torch, got .*trap"):
        reader(path)
    path.write_bytes(pickle.dumps(Trap(tmp_path / "sprung")))
    with pytest.raises(ValueError, match="a file of tensors"):
        reader(path)
    assert not (tmp_path / "sprung").exists()
    torch.save(torch.zeros(3), path)
    with pytest.raises(ValueError, match="file of named tensors"):
        reader(path)
    with pytest.raises(FileNotFoundError, match=r"no such file: .*gone"):
        reader(tmp_path / "gone.pth")


@pytest.mark.parametrize(
    ("package", "reader"), [("torchvision", lpips_metric), ("torch_fidelity", InceptionFeatures)]
)
def test_missing_packages_give_the_pip_line(
    alexnet: Path, monkeypatch: pytest.MonkeyPatch, package: str, reader: Callable[[Path], object]
) -> None:
    for name in ("torchvision", "torch_fidelity"):
        monkeypatch.setitem(sys.modules, name, None)
    # Each asks for its own: LPIPS has no use for torch-fidelity.
    with pytest.raises(MissingExtra, match=rf'{package}.*pip install "gatefill\[perceptual\]"'):
        reader(alexnet)


def test_frechet_distance_of_two_clouds() -> None:
    """Normal clouds whose covariances are alike differ by the square of their shift."""
    rng = np.random.default_rng(0)
    distance, shift = FrechetDistance(features=4), np.float32([3, 0, 0, 0])
    assert distance.result() is None
    for _ in range(4000):
        distance.add(*(rng.normal(0, 1, 4).astype(np.float32) + s for s in (0 * shift, shift)))
    assert distance.result() == pytest.approx(9, abs=0.4)


def test_what_is_missing_is_told_with_the_way_to_get_it() -> None:
    lines = how_to_get(lpips=False, fid=False)
    assert len(lines) == 2
    for line in lines:
        assert 'pip install "gatefill[perceptual]"' in line
        assert "https://" in line
    assert how_to_get(lpips=True, fid=True) == []
