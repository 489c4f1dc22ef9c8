"""FID by torchmetrics, with Inception weights from a file; nothing is downloaded."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gatefill.errors import WeightsError
from gatefill.evaluation.metrics.base import Pixels
from gatefill.extras import require

if TYPE_CHECKING:
    from torch import nn

FEATURES = 2048
RELIABLE = 2048  # with fewer pictures than features, FID's covariance lacks full rank


class InceptionFeatures:
    """Computes the 2048 features per picture for FID."""

    def __init__(self, weights: Path) -> None:
        _tensors(weights)  # torch-fidelity would run code in a file
        require("fid", "FID")
        from torchmetrics.image.fid import NoTrainInceptionV3

        try:
            self._network: nn.Module = NoTrainInceptionV3(
                "inception-v3-compat", [str(FEATURES)], feature_extractor_weights_path=str(weights)
            )
        except RuntimeError as error:  # wrong keys or shapes
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
    """FID of two sets whose features are added picture by picture, in constant memory."""

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
        """Return the FID; None for fewer than two pictures."""
        if int(self._distance.real_features_num_samples) < 2:
            return None
        return max(float(self._distance.compute()), 0.0)


def _tensors(path: Path) -> dict[str, Any]:
    """Load the tensors of a torch file; files that would run code are refused."""
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
