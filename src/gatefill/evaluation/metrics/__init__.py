"""The metrics, with unit, range and direction; docs/metrics.md has their exact definitions."""

from __future__ import annotations

from gatefill.evaluation.metrics.base import Better, Metric, Pair
from gatefill.evaluation.metrics.errors import hole_l1, hole_l2, l1, l2, rim, rim_l1
from gatefill.evaluation.metrics.patches import sliced_wasserstein
from gatefill.evaluation.metrics.structure import (
    ms_ssim,
    one_thread,
    psnr,
    ssim,
    total_variation,
    variation_of,
)

_TABLE = [
    Metric(
        "l1", "L1, whole photo", "%", 0.0, 100.0, "lower",
        "Mean absolute error over all pixels and channels, known ones included.", l1,
    ),
    Metric(
        "l2", "L2, whole photo", "%", 0.0, 100.0, "lower",
        "Mean squared error over all pixels and channels, known ones included.", l2,
    ),
    Metric(
        "hole_l1", "L1 in the hole", "%", 0.0, 100.0, "lower",
        "Mean absolute error over the hole's pixels and channels.", hole_l1,
    ),
    Metric(
        "hole_l2", "L2 in the hole", "%", 0.0, 100.0, "lower",
        "Mean squared error over the hole's pixels and channels.", hole_l2,
    ),
    Metric(
        "rim_l1", "L1 along the rim", "%", 0.0, 100.0, "lower",
        "Mean absolute error over the hole pixels that touch a known pixel: the seam.", rim_l1,
    ),
    Metric(
        "psnr", "PSNR", "dB", 0.0, 100.0, "higher",
        "Peak signal-to-noise ratio of the whole photo, at most 100 dB.", psnr,
    ),
    Metric(
        "ssim", "SSIM", "", -1.0, 1.0, "higher",
        "Structural similarity of the whole photo, Gaussian window 11, sigma 1.5.", ssim,
    ),
    Metric(
        "ms_ssim", "MS-SSIM", "", 0.0, 1.0, "higher",
        "Multi-scale structural similarity of the whole photo; from 176 pixels a side.", ms_ssim,
    ),
    Metric(
        "tv", "Total variation", "%", 0.0, 200.0, "neither",
        "Mean sum of the steps to the pixel below and to the right; the truth's is the aim.",
        total_variation,
    ),
    Metric(
        "swd", "Patch distance", "%", 0.0, None, "lower",
        "Sliced Wasserstein distance of 7x7 patches of the hole on three scales: texture.",
        sliced_wasserstein,
    ),
]  # fmt: skip

METRICS: dict[str, Metric] = {metric.name: metric for metric in _TABLE}
"""The metrics that need no weights, by name, in the order of the tables."""

__all__ = ["METRICS", "Better", "Metric", "Pair", "one_thread", "rim", "variation_of"]
