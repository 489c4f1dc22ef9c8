"""Metrics of a generator on validation images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import nn
from torchmetrics.functional.image import structural_similarity_index_measure

from gatefill.errors import ConfigError
from gatefill.training.config import TrainConfig
from gatefill.training.data.batch import Batch, Sample, stack
from gatefill.training.objectives import Made, Objective
from gatefill.training.perceptual import lpips
from gatefill.training.trunks import Trunk, load_trunk


@dataclass(frozen=True)
class Measures:
    """Metrics of composites, as means over the validation images."""

    hole_l1: float  # mean absolute error inside the hole, percent of the range
    l1: float  # the same over the whole image
    psnr: float  # dB, over the whole image
    ssim: float  # over the whole image
    lpips: float | None = None  # over the whole image, if its weights are given

    def better_than(self, best: float | None, measure: str) -> bool:
        """Whether the named metric is better than a value."""
        value: float = getattr(self, measure)
        if best is None:
            return True
        return value < best if measure in ("hole_l1", "l1", "lpips") else value > best

    def __str__(self) -> str:
        text = f"hole L1 {self.hole_l1:.2f} %, PSNR {self.psnr:.2f} dB, SSIM {self.ssim:.4f}"
        return text if self.lpips is None else f"{text}, LPIPS {self.lpips:.4f}"


class Validation:
    """A fixed set of samples, with fixed masks."""

    def __init__(
        self, samples: Sequence[Sample], config: TrainConfig, device: torch.device
    ) -> None:
        self.config, self.device = config, device
        size = max(config.batch_size, 1)
        self.parts = [stack(samples[i : i + size]) for i in range(0, len(samples), size)]
        self.count = len(samples)
        self.trunk = lpips_trunk(config)
        if self.trunk is not None:
            self.trunk.to(device)

    @torch.no_grad()
    def measure(self, objective: Objective, network: nn.Module) -> Measures:
        """Compute the metrics of a network, in float32."""
        network.eval()
        sums = torch.zeros(4 if self.trunk is None else 5, dtype=torch.float64)
        for batch in self._batches():
            found = batch.composite(objective.fill(network, batch).refined)
            found = found.clamp(-1.0, 1.0) / 2.0 + 0.5
            image = batch.image / 2.0 + 0.5
            wrong = (found - image).abs()
            holes = (3.0 * batch.mask.sum(dim=(1, 2, 3))).clamp_min(1.0)
            in_hole = wrong.sum(dim=(1, 2, 3)) / holes
            squared = wrong.square().mean(dim=(1, 2, 3)).clamp_min(1e-10)
            ssim = structural_similarity_index_measure(
                found, image, data_range=1.0, reduction="none"
            )
            assert isinstance(ssim, torch.Tensor)
            rows = [
                100.0 * in_hole,
                100.0 * wrong.mean(dim=(1, 2, 3)),
                -10.0 * squared.log10(),
                ssim,
            ]
            if self.trunk is not None:
                pair = [2.0 * frame - 1.0 for frame in (found, image)]
                if self.config.channel_order == "bgr":
                    pair = [frame.flip(1) for frame in pair]
                rows.append(lpips(self.trunk, *pair))
            sums += torch.stack([row.double().sum().cpu() for row in rows])
        return Measures(*(sums / max(self.count, 1)).tolist())

    @torch.no_grad()
    def examples(self, objective: Objective, network: nn.Module, count: int) -> tuple[Batch, Made]:
        """The first `count` samples and the output of a network for them."""
        network.eval()
        batch = next(self._batches())
        batch = Batch(*(None if part is None else part[:count] for part in batch))  # type: ignore[arg-type]
        return batch, objective.fill(network, batch)

    def _batches(self) -> Iterator[Batch]:
        for part in self.parts:
            yield part.to_batch(self.device, self.config.channel_order, self.config.channels_last)


def lpips_trunk(config: TrainConfig) -> Trunk | None:
    """Return the classifier for LPIPS in validation; None if there is none.

    Raises:
        ConfigError: If the best weights are selected by LPIPS, and there is none.
        WeightsError: If its file has other content.
    """
    path = config.lpips_weights or config.terms.perceptual_weights
    if path is not None:
        return load_trunk(path)
    if config.best_by == "lpips":
        raise ConfigError(
            "best_by=lpips needs the weights of AlexNet or VGG-16: expected lpips_weights=FILE, "
            "got none",
            code="train.perceptual_weights",
        )
    return None
