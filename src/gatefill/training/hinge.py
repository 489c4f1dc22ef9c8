"""Hinge loss of a discriminator for the boundaries of holes, for any method."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from gatefill.training.config import TrainConfig
from gatefill.training.data.batch import Batch
from gatefill.training.devices import pick_precision
from gatefill.training.discriminators import SNPatchGAN, SNPatchGANConfig
from gatefill.training.losses import (
    hinge_discriminator_loss,
    hinge_generator_loss,
    near_boundary,
)
from gatefill.training.optimizers import make_optimizer, set_rate


class BoundaryHinge:
    """An SN-PatchGAN with its optimizer (arXiv 1806.03589, equation 3).

    Its fake input is the composite up to ``terms.hinge_reach`` pixels from the known part, and the
    ground truth beyond. Deep inside a large hole the detail cannot be predicted, and a small
    generator would learn to satisfy the discriminator with a pattern there.
    """

    def __init__(self, config: TrainConfig, device: torch.device) -> None:
        guided = getattr(config.network, "guided", False)
        network = SNPatchGAN(SNPatchGANConfig(config.terms.hinge_width, guided=guided))
        self.discriminator = network.to(device)
        self.reach = config.terms.hinge_reach
        self.halved = pick_precision(config.precision, device.type) == "bf16-mixed"
        self.rate = config.optimizer.critic_lr or config.optimizer.lr
        self.optimizer = make_optimizer(network.parameters(), config.optimizer, self.rate)

    def learn(
        self,
        batch: Batch,
        refined: Tensor,
        average: Callable[[nn.Module], None],
    ) -> Tensor:
        """Update the discriminator; return its loss, which is 1 if it cannot tell real from fake.

        Args:
            batch: The batch, with the ground truth.
            refined: Output of the generator; no gradient is needed.
            average: Averages gradients over all processes.
        """
        shown = torch.cat([batch.image, self._shown(batch, refined.detach())])
        sketch = None if batch.sketch is None else torch.cat([batch.sketch] * 2)
        values = self._values(shown, torch.cat([batch.mask] * 2), sketch)
        loss = hinge_discriminator_loss(*values.chunk(2))
        loss.backward()  # type: ignore[no-untyped-call]
        average(self.discriminator)
        if bool(torch.isfinite(loss)):
            self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return loss.detach()

    def judge(self, batch: Batch, refined: Tensor) -> Tensor:
        """Return the loss of the generator."""
        self.discriminator.requires_grad_(False)
        values = self._values(self._shown(batch, refined), batch.mask, batch.sketch)
        self.discriminator.requires_grad_(True)
        return hinge_generator_loss(values)

    def set_rate(self, factor: float) -> None:
        """Multiply the learning rate by a factor, as its schedule requires."""
        set_rate(self.optimizer, self.rate * factor)

    def state_dict(self) -> dict[str, Any]:
        """The state for a checkpoint."""
        return {
            "discriminator": self.discriminator.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Restore the state of a checkpoint."""
        self.discriminator.load_state_dict(saved["discriminator"])
        self.optimizer.load_state_dict(saved["optimizer"])

    def _values(self, shown: Tensor, mask: Tensor, sketch: Tensor | None) -> Tensor:
        """Run the discriminator in the run's precision; return float32 values."""
        with torch.autocast(shown.device.type, torch.bfloat16, enabled=self.halved):
            values: Tensor = self.discriminator(shown, mask, sketch)
        return values.float()

    def _shown(self, batch: Batch, refined: Tensor) -> Tensor:
        near = near_boundary(batch.mask, self.reach) * batch.mask
        return torch.lerp(batch.image, refined, near)
