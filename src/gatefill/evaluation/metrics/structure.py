"""Metrics of torchmetrics: PSNR, SSIM, MS-SSIM and total variation."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from gatefill.evaluation.metrics.base import Pair, Pixels

if TYPE_CHECKING:
    from torch import Tensor

# PSNR of identical images: infinity would make every mean infinite.
BEST_PSNR = 100.0

# The window of SSIM, and the smallest side with a window after four halvings.
WINDOW = 11
LEAST_SIDE_OF_MS_SSIM = WINDOW * 16


def psnr(pair: Pair) -> float:
    """Peak signal-to-noise ratio of the whole photo in dB, at most 100."""
    from torchmetrics.functional.image import peak_signal_noise_ratio

    ratio = peak_signal_noise_ratio(tensor(pair.output), tensor(pair.truth), data_range=1.0)
    return min(float(ratio), BEST_PSNR)


def ssim(pair: Pair) -> float | None:
    """Structural similarity of the whole photo; None if a side is below 11 pixels."""
    from torchmetrics.functional.image import structural_similarity_index_measure

    if min(pair.mask.shape) < WINDOW:
        return None
    value = structural_similarity_index_measure(
        tensor(pair.output), tensor(pair.truth), data_range=1.0
    )
    return _number(value)


def ms_ssim(pair: Pair) -> float | None:
    """Multi-scale structural similarity; None if a side is below 176 pixels."""
    from torchmetrics.functional.image import (
        multiscale_structural_similarity_index_measure,
    )

    if min(pair.mask.shape) < LEAST_SIDE_OF_MS_SSIM:
        return None
    value = multiscale_structural_similarity_index_measure(
        tensor(pair.output), tensor(pair.truth), data_range=1.0
    )
    return _number(value)


def total_variation(pair: Pair) -> float:
    """Total variation of the output per pixel and channel, in percent."""
    return variation_of(pair.output)


def variation_of(picture: Pixels) -> float:
    """Sum of absolute differences of neighbors, over the number of values, in percent."""
    from torchmetrics.functional.image import total_variation as summed

    return 100 * float(summed(tensor(picture))) / picture.size


def tensor(picture: Pixels) -> Tensor:
    """Convert to ``13HW`` float32 in [0, 1]; torch convolves doubles thirty times slower."""
    import torch

    planes = np.ascontiguousarray(picture.transpose(2, 0, 1)[None])
    return torch.from_numpy(planes).float() / 255


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch use one thread: faster for small images, with the same sums on any machine."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _number(value: object) -> float:
    """Convert to float; torchmetrics types some results as a tuple, which they are not here."""
    return float(value)  # type: ignore[arg-type]
