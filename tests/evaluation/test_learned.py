"""LPIPS, DISTS and FID: weights by path, nothing downloaded, nothing run that a file holds."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from gatefill.errors import WeightsError
from gatefill.evaluation import Metric, Pair
from gatefill.evaluation.metrics.frechet import FrechetDistance, InceptionFeatures
from gatefill.evaluation.metrics.learned import dists_metric, how_to_get, lpips_metric
from gatefill.extras import MissingExtra
from gatefill.training.trunks import VGG16
from tests.evaluation.helpers import texture, write_alexnet
from tests.training.test_trunks import save_trunk

WIDTHS = (3, 4, 6, 8, 10, 10)  # of the image and the taps of the small VGG-16 of `save_trunk`


@pytest.fixture
def alexnet(tmp_path: Path) -> Path:
    return write_alexnet(tmp_path / "alexnet.pth")


@pytest.fixture
def dists(tmp_path: Path) -> tuple[Path, Path]:
    """A small VGG-16, and channel weights for it."""
    torch.manual_seed(1)
    save_trunk(tmp_path / "vgg.pth", VGG16)
    weights = {name: torch.rand(1, sum(WIDTHS), 1, 1) for name in ("alpha", "beta")}
    torch.save(weights, tmp_path / "dists.pt")
    return tmp_path / "vgg.pth", tmp_path / "dists.pt"


def grows_with_the_error(metric: Metric) -> None:
    truth, whole = texture(0), np.ones((64, 80), bool)
    values = [
        metric.measure(Pair(truth, picture, whole))
        for picture in (truth, cv2.GaussianBlur(truth, (0, 0), 1), texture(1))
    ]
    assert values[0] == pytest.approx(0, abs=1e-6)
    assert values == sorted(values)  # type: ignore[type-var]
    assert values[2] > 0.01  # type: ignore[operator]
    assert metric.measure(Pair(truth[:31], truth[:31], whole[:31])) is None


def test_lpips_grows_with_the_error(alexnet: Path) -> None:
    grows_with_the_error(lpips_metric(alexnet))


def test_dists_grows_with_the_error(dists: tuple[Path, Path]) -> None:
    grows_with_the_error(dists_metric(*dists))


def test_dists_is_that_of_its_paper(dists: tuple[Path, Path]) -> None:
    """Equations 3 to 6 of arXiv 2004.07728, channel by channel; pooling is equation 2."""
    torch.manual_seed(2)
    network = save_trunk(dists[0], VGG16)  # the same file, and its layers
    weights = torch.load(dists[1], weights_only=True)
    whole = weights["alpha"].sum() + weights["beta"].sum()
    truth, output = texture(3), texture(4)
    expected, channel = 1.0, 0
    for one, other in zip(_maps(network, truth), _maps(network, output), strict=True):
        for x, y in zip(one[0].double(), other[0].double(), strict=True):
            luminance = (2 * x.mean() * y.mean() + 1e-6) / (x.mean() ** 2 + y.mean() ** 2 + 1e-6)
            covariance = ((x - x.mean()) * (y - y.mean())).mean()
            spread = ((x - x.mean()) ** 2).mean() + ((y - y.mean()) ** 2).mean()
            structure = (2 * covariance + 1e-6) / (spread + 1e-6)
            alpha, beta = (weights[name].flatten()[channel] / whole for name in ("alpha", "beta"))
            expected -= float(alpha * luminance + beta * structure)
            channel += 1
    assert channel == sum(WIDTHS)
    assert 0.1 < expected < 1
    found = dists_metric(*dists).measure(Pair(truth, output, np.ones((64, 80), bool)))
    assert found == pytest.approx(expected, abs=2e-4)


def _maps(network: nn.Sequential, picture: np.ndarray) -> list[Tensor]:
    """The picture and what stands after the last ReLU of each stage."""
    x = torch.from_numpy(picture).permute(2, 0, 1)[None] / 255
    mean = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    kernel = torch.tensor([[1.0, 2, 1], [2, 4, 2], [1, 2, 1]]) / 16
    maps, x = [x], (x - mean) / std
    with torch.no_grad():
        for layer in network:
            if isinstance(layer, nn.MaxPool2d):
                maps.append(x)
                blur = kernel.repeat(x.shape[1], 1, 1, 1)
                x = functional.conv2d(x**2, blur, stride=2, padding=1, groups=x.shape[1]).sqrt()
            else:
                x = layer(x)
    return maps


def test_the_truth_is_looked_at_anew_for_another_photo(alexnet: Path) -> None:
    metric, whole = lpips_metric(alexnet), np.ones((64, 80), bool)
    first = metric.measure(Pair(texture(0), texture(1), whole))
    other = metric.measure(Pair(texture(2), texture(1), whole))
    assert other != first
    assert lpips_metric(alexnet).measure(Pair(texture(2), texture(1), whole)) == other


def test_networks_of_other_kinds_are_refused(alexnet: Path, dists: tuple[Path, Path]) -> None:
    vgg, weights = dists
    with pytest.raises(WeightsError, match=r"as published, got another width in vgg\.pth"):
        lpips_metric(vgg)
    with pytest.raises(WeightsError, match="expected the convolutions of VGG-16"):
        dists_metric(alexnet, weights)
    with pytest.raises(WeightsError, match="alpha and beta of DISTS, 41 numbers each"):
        dists_metric(vgg, vgg)


class Trap:
    """What unpickling this would do."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.target,)


def only_weights(path: Path) -> object:
    """`dists_metric` with a good VGG-16."""
    save_trunk(path.parent / "vgg.pth", VGG16)
    return dists_metric(path.parent / "vgg.pth", path)


@pytest.mark.parametrize("reader", [lpips_metric, only_weights, InceptionFeatures])
def test_files_that_are_no_weights(reader: Callable[[Path], object], tmp_path: Path) -> None:
    path = tmp_path / "trap.pth"
    torch.save({"features.0.weight": Trap(tmp_path / "sprung")}, path)
    with pytest.raises(WeightsError, match="trap"):
        reader(path)
    path.write_bytes(pickle.dumps(Trap(tmp_path / "sprung")))
    with pytest.raises(WeightsError, match="trap"):
        reader(path)
    assert not (tmp_path / "sprung").exists()
    torch.save(torch.zeros(3), path)
    with pytest.raises(WeightsError, match="trap"):
        reader(path)
    with pytest.raises(FileNotFoundError, match=r"no such file: .*gone"):
        reader(tmp_path / "gone.pth")


def test_missing_packages_give_the_pip_line(alexnet: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("torchvision", "torch_fidelity"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingExtra, match=r'torch_fidelity.*pip install "gatefill\[fid\]"'):
        InceptionFeatures(alexnet)
    lpips_metric(alexnet)  # has no use for either


def test_frechet_distance_of_two_clouds() -> None:
    """Normal clouds whose covariances are alike differ by the square of their shift."""
    rng = np.random.default_rng(0)
    distance, shift = FrechetDistance(features=4), np.float32([3, 0, 0, 0])
    assert distance.result() is None
    for _ in range(4000):
        distance.add(*(rng.normal(0, 1, 4).astype(np.float32) + s for s in (0 * shift, shift)))
    assert distance.result() == pytest.approx(9, abs=0.4)


def test_what_is_missing_is_told_with_the_way_to_get_it() -> None:
    lpips, dists, fid = how_to_get(lpips=False, dists=False, fid=False)
    for line, name in ((lpips, "LPIPS"), (dists, "DISTS")):
        assert line == f"{name} is not measured: gatefill.evaluation.fetch() downloads its weights."
    assert 'pip install "gatefill[fid]"' in fid
    assert "https://" in fid
    assert how_to_get(lpips=True, dists=True, fid=True) == []
