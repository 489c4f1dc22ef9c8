"""Losses of the composite that can be added to those of any method."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from gatefill.checkpoints import find_weights, load_network
from gatefill.errors import ConfigError
from gatefill.training.config import TrainConfig
from gatefill.training.data.batch import Batch
from gatefill.training.devices import pick_precision
from gatefill.training.dists import Dists, load_dists
from gatefill.training.hinge import BoundaryHinge
from gatefill.training.losses import l1, patches, random_corners
from gatefill.training.objectives import Losses, Made
from gatefill.training.perceptual import hole_places, perceptual_distance, style_distance
from gatefill.training.spectral import spectral_loss
from gatefill.training.trunks import Trunk, load_trunk


class Terms:
    """Adds the weighted losses of `TrainConfig.terms` to those of an objective.

    Raises:
        ConfigError: If the file of the classifier's weights is missing or has other content.
    """

    def __init__(self, config: TrainConfig, device: torch.device) -> None:
        self.config = config.terms
        self.order = config.channel_order
        self.trunk, self.dists = self._load_classifiers(device)
        self.teacher = None
        if self.config.teacher:
            if self.config.teacher_weights is None:
                raise ConfigError(
                    "terms.teacher needs weights to learn from: expected "
                    "terms.teacher_weights=FILE, got none",
                    code="train.teacher",
                )
            self.teacher = load_network(find_weights(self.config.teacher_weights))[1].to(device)
        self.hinge = BoundaryHinge(config, device) if self.config.hinge else None
        # The classifier is frozen, so that bfloat16 is sufficient for every run.
        self.halved = pick_precision("auto", device.type) == "bf16-mixed"

    def _load_classifiers(self, device: torch.device) -> tuple[Trunk | None, Dists | None]:
        config, trunk, dists = self.config, None, None
        if not (config.perceptual or config.style or config.dists):
            return None, None
        if config.perceptual_weights is None:
            raise ConfigError(
                "terms.perceptual, terms.style and terms.dists need the weights of AlexNet or "
                "VGG-16: expected terms.perceptual_weights=FILE, got none",
                code="train.perceptual_weights",
            )
        if config.perceptual or config.style:
            trunk = load_trunk(
                config.perceptual_weights, config.taps, weighting=config.weighting
            ).to(device)
        if config.dists:
            if config.dists_weights is None:
                raise ConfigError(
                    "terms.dists needs the published alpha and beta: expected "
                    "terms.dists_weights=FILE, got none",
                    code="train.dists_weights",
                )
            dists = load_dists(config.perceptual_weights, config.dists_weights).to(device)
        return trunk, dists

    def add(
        self,
        losses: Losses,
        batch: Batch,
        filled: Made,
        average: Callable[[nn.Module], None] = lambda _: None,
    ) -> Losses:
        """Return the losses with the weighted terms of the composite added.

        Args:
            losses: Losses of the objective.
            batch: The batch, with the ground truth.
            filled: Output of the generator.
            average: Averages a discriminator's gradients over all processes.
        """
        config, total, terms = self.config, losses.total, dict(losses.terms)
        composite = batch.composite(filled.refined)
        if config.spectral:
            terms["spectral"] = spectral_loss(composite, batch.image, batch.mask)
            total = total + config.spectral * terms["spectral"]
        if self.trunk is not None or self.dists is not None:
            frames = [batch.image, composite, batch.mask]
            if config.window is not None:
                corners = random_corners(batch.mask, config.window)
                frames = [patches(frame, corners, config.window) for frame in frames]
            for name, value in self._learned(*frames).items():
                terms[name] = value
                total = total + getattr(config, name) * value
        if self.hinge is not None:
            terms["hinge_d_loss"] = self.hinge.learn(batch, filled.refined, average)
            terms["hinge"] = self.hinge.judge(batch, filled.refined)
            total = total + config.hinge * terms["hinge"]
        if self.teacher is not None:
            terms["teacher"] = self._apart_from_teacher(batch, filled)
            total = total + config.teacher * terms["teacher"]
        return Losses(total, terms)

    def _learned(self, image: Tensor, composite: Tensor, mask: Tensor) -> dict[str, Tensor]:
        """Compute the terms with weights, by name, that compare features of a classifier."""
        config, terms = self.config, {}
        if self.trunk is not None:
            with torch.no_grad():
                wanted = self._features(self.trunk, image)
            taps = hole_places(self._features(self.trunk, composite), wanted, mask)
            if config.perceptual:
                terms["perceptual"] = perceptual_distance(taps, self.trunk.channel_weights())
            if config.style:
                terms["style"] = style_distance(taps)
        if self.dists is not None:
            with torch.no_grad():
                wanted = self._features(self.dists.features, image)
            found = self._features(self.dists.features, composite)
            terms["dists"] = self.dists.distance(found, wanted).mean()
        return terms

    def _apart_from_teacher(self, batch: Batch, filled: Made) -> Tensor:
        """L1 to the teacher's composites, and to its coarse ones if both networks have them."""
        assert self.teacher is not None
        turned = self.teacher.config.channel_order != self.order  # type: ignore[union-attr]
        image = batch.image.flip(1) if turned else batch.image
        sketch = [batch.sketch] if getattr(self.teacher.config, "guided", False) else []
        with torch.no_grad(), self._in_half_precision(image):
            made = self.teacher(image, batch.mask, *sketch)
        frames = [made if isinstance(made, Tensor) else made.refined]
        ours = [filled.refined]
        if filled.coarse is not None and not isinstance(made, Tensor):
            frames.append(made.coarse)
            ours.append(filled.coarse)
        wanted = [frame.float().flip(1) if turned else frame.float() for frame in frames]
        apart = [
            l1(batch.composite(mine), batch.composite(theirs))
            for mine, theirs in zip(ours, wanted, strict=True)
        ]
        return torch.stack(apart).sum()

    def _in_half_precision(self, frames: Tensor) -> torch.autocast:
        return torch.autocast(frames.device.type, torch.bfloat16, enabled=self.halved)

    def _features(self, compute: Callable[[Tensor], list[Tensor]], frames: Tensor) -> list[Tensor]:
        frames = frames.flip(1) if self.order == "bgr" else frames
        with self._in_half_precision(frames):
            return compute(frames)
