"""LPIPS and DISTS, with networks from files or downloaded beforehand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from gatefill.errors import WeightsError
from gatefill.evaluation.metrics.base import Metric, Pair, Pixels
from gatefill.evaluation.metrics.structure import tensor

if TYPE_CHECKING:
    from torch import Tensor

    from gatefill.training.trunks import Trunk

INCEPTION = (
    "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/"
    "weights-inception-2015-12-05-6726825d.pth"
)
LEAST_SIDE = 32  # smallest side for which the deepest features have a position
Distance = Callable[[list["Tensor"], list["Tensor"]], "Tensor"]


def how_to_get(*, lpips: bool, dists: bool, fid: bool) -> list[str]:
    """Return a sentence on how to get the weights of each metric that is not measured."""
    lines = [
        f"{name} is not measured: gatefill.evaluation.fetch() downloads its weights."
        for name, there in (("LPIPS", lpips), ("DISTS", dists))
        if not there
    ]
    if not fid:
        lines.append(
            f'FID is not measured: pip install "gatefill[fid]", fetch {INCEPTION} and give it as '
            "fid_weights."
        )
    return lines


def lpips_metric(weights: Path) -> Metric:
    """Return the metric LPIPS v0.1 with the AlexNet (or VGG-16) in `weights`.

    Raises WeightsError for any other file.
    """
    from gatefill.training.perceptual import lpips_of_features
    from gatefill.training.trunks import load_trunk

    trunk = load_trunk(_there(weights))
    _check_channels(trunk, weights)
    network = trunk.architecture.name

    def distance(found: list[Tensor], wanted: list[Tensor]) -> Tensor:
        return lpips_of_features(trunk, found, wanted)

    return Metric(
        name="lpips",
        title="LPIPS" if network == "AlexNet" else f"LPIPS, {network}",
        unit="",
        low=0.0,
        high=None,
        better="lower",
        definition=f"Learned perceptual distance (Zhang et al. 2018), {network}, whole photo.",
        measure=_Measure(trunk, distance),
    )


def dists_metric(vgg: Path, weights: Path) -> Metric:
    """Return the metric DISTS with VGG-16 from one file, and the published alpha and beta.

    Raises WeightsError for a file with other content.
    """
    from gatefill.training.dists import load_dists

    dists = load_dists(_there(vgg), _there(weights))
    return Metric(
        name="dists",
        title="DISTS",
        unit="",
        low=0.0,
        high=None,
        better="lower",
        definition="Structure and texture distance (Ding et al. 2020), VGG-16, whole photo.",
        measure=_Measure(dists.features, dists.distance),
    )


class _Measure:
    """A distance of features; those of the truth are computed once per case."""

    def __init__(self, features: Callable[[Tensor], list[Tensor]], distance: Distance) -> None:
        self._features, self._distance = features, distance
        self._truth: tuple[Pixels, list[Tensor]] | None = None

    def __call__(self, pair: Pair) -> float | None:
        import torch

        if min(pair.mask.shape) < LEAST_SIDE:
            return None
        with torch.inference_mode():
            if self._truth is None or self._truth[0] is not pair.truth:
                self._truth = pair.truth, self._features(tensor(pair.truth) * 2 - 1)
            found = self._features(tensor(pair.output) * 2 - 1)
            # Rounding may give less than 0.
            return max(float(self._distance(found, self._truth[1])), 0.0)


def _check_channels(trunk: Trunk, path: Path) -> None:
    """Raise an error if channel weights are missing: the distance would not be LPIPS."""
    if all(bool((channels == 1).all()) for channels in trunk.channel_weights()):
        raise WeightsError(
            f"expected AlexNet or VGG-16 as published, got another width in {path.name}",
            code="weights.lpips",
            file=str(path),
        )


def _there(path: Path) -> Path:
    if not path.is_file():
        raise FileNotFoundError(f"no such file: {path}")
    return path
