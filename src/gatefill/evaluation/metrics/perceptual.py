"""LPIPS and FID through torchmetrics, with weights given by path: nothing is downloaded."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gatefill.errors import WeightsError
from gatefill.evaluation.metrics.base import Metric, Pair, Pixels
from gatefill.evaluation.metrics.structure import tensor
from gatefill.extras import require

if TYPE_CHECKING:
    from torch import nn

LPIPS_WEIGHTS = "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth"
FID_WEIGHTS = (
    "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/"
    "weights-inception-2015-12-05-6726825d.pth"
)
LEAST_SIDE_OF_LPIPS = 32
FEATURES = 2048
RELIABLE = 2048  # with fewer pictures than features the covariance of FID has no full rank


def how_to_get(lpips: bool, fid: bool) -> list[str]:
    """For what is not measured, a sentence that says how to get it."""
    lines = []
    if not lpips:
        lines.append(
            f'LPIPS is not measured: pip install "gatefill[perceptual]", fetch {LPIPS_WEIGHTS} '
            "and give it as lpips_weights."
        )
    if not fid:
        lines.append(
            f'FID is not measured: pip install "gatefill[perceptual]", fetch {FID_WEIGHTS} '
            "and give it as fid_weights."
        )
    return lines


def lpips_metric(weights: Path) -> Metric:
    """LPIPS with an AlexNet whose ImageNet weights lie in `weights`, a file of torchvision.

    Raises WeightsError where the file is not that, MissingExtra where packages are missing.
    """
    stored = _tensors(weights)
    # torch-fidelity, of the same extra, is for FID only.
    require("perceptual", "LPIPS", module="torchvision")
    from torchmetrics.functional.image.lpips import _NoTrainLpips

    # Only the private class can be had without a download of the backbone; its linear layers,
    # which are what makes LPIPS, come with torchmetrics.
    network = _NoTrainLpips(net="alex", pnet_rand=True)
    backbone = network.net.state_dict()  # slice2.3.weight is the file's features.3.weight
    names = {key: "features." + key.split(".", 1)[1] for key in backbone}
    if missing := [name for name in names.values() if name not in stored]:
        raise WeightsError(
            f"expected AlexNet weights of torchvision, got {weights} without {missing[0]}",
            code="metric.weights",
            file=str(weights),
        )
    network.net.load_state_dict({key: stored[name] for key, name in names.items()})

    def measure(pair: Pair) -> float | None:
        import torch

        if min(pair.mask.shape) < LEAST_SIDE_OF_LPIPS:
            return None
        with torch.inference_mode():
            return float(network(tensor(pair.output), tensor(pair.truth), normalize=True))

    return Metric(
        name="lpips",
        title="LPIPS",
        unit="",
        low=0.0,
        high=None,
        better="lower",
        definition="Learned perceptual distance (Zhang et al. 2018), AlexNet, whole photo.",
        measure=measure,
    )


class InceptionFeatures:
    """The 2048 numbers per picture on which FID rests."""

    def __init__(self, weights: Path) -> None:
        _tensors(weights)  # torch-fidelity would run code that a file holds
        require("perceptual", "FID")
        from torchmetrics.image.fid import NoTrainInceptionV3

        try:
            self._network: nn.Module = NoTrainInceptionV3(
                "inception-v3-compat", [str(FEATURES)], feature_extractor_weights_path=str(weights)
            )
        except RuntimeError as error:  # keys or shapes that do not fit
            raise WeightsError(
                f"expected the Inception weights of torch-fidelity, got {weights}",
                code="metric.weights",
                file=str(weights),
            ) from error

    def __call__(self, picture: Pixels) -> NDArray[np.float32]:
        import torch

        planes = torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1)[None]))
        with torch.inference_mode():
            found: Any = self._network(planes)
        return np.asarray(found.reshape(-1).numpy(), np.float32)


class FrechetDistance:
    """FID of two sets, given picture by picture as features; memory does not grow with them."""

    def __init__(self, features: int = FEATURES) -> None:
        from torch.nn import Identity
        from torchmetrics.image.fid import FrechetInceptionDistance

        ready = Identity()
        ready.num_features = features  # type: ignore[assignment]
        self._distance = FrechetInceptionDistance(feature=ready)

    def add(self, truth: NDArray[np.float32], output: NDArray[np.float32]) -> None:
        import torch

        self._distance.update(torch.from_numpy(truth)[None], real=True)
        self._distance.update(torch.from_numpy(output)[None], real=False)

    def result(self) -> float | None:
        """None for fewer than two pictures."""
        if int(self._distance.real_features_num_samples) < 2:
            return None
        return max(float(self._distance.compute()), 0.0)


def _tensors(path: Path) -> dict[str, Any]:
    """The tensors of a torch file; what would run code is refused."""
    import torch

    if not path.is_file():
        raise FileNotFoundError(f"no such file: {path}")
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise WeightsError(
            f"expected a file of tensors written by torch, got {path}",
            code="metric.weights",
            file=str(path),
        ) from error
    if not isinstance(found, dict):
        raise WeightsError(
            f"expected a file of named tensors, got {path}", code="metric.weights", file=str(path)
        )
    return found
