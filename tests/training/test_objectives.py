"""Each method's losses and phases, as the papers have them."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.nn import functional

from gatefill.errors import ConfigError
from gatefill.training.config import TrainConfig
from gatefill.training.data import Batch
from gatefill.training.losses import discount, discount_of_square, gram, hole_corners, patches
from gatefill.training.objectives import (
    DeepFillV1Objective,
    DeepFillV2Objective,
    GlobalLocalObjective,
    Made,
    PartialConvObjective,
    Turn,
    make_objective,
)
from gatefill.training.recipes import recipe
from gatefill.training.trunks import VGG16
from tests.training.helpers import tiny
from tests.training.test_loop import small
from tests.training.test_trunks import save_trunk


@pytest.fixture
def batch() -> Batch:
    generator = torch.Generator().manual_seed(0)
    image = torch.rand(2, 3, 32, 32, generator=generator) * 2 - 1
    mask = torch.zeros(2, 1, 32, 32)
    mask[0, :, 4:14, 6:20] = 1
    mask[1, :, 16:30, 16:30] = 1
    return Batch(image, mask)


class TestDeepFillV2:
    def test_the_adversarial_loss_comes_in_when_it_is_told_to(self, batch: Batch) -> None:
        objective = DeepFillV2Objective(tiny())
        assert objective.turn(0) == Turn(critic=0, generator=True)
        assert objective.turn(4) == Turn(critic=1, generator=True)
        filled = objective.fill(objective.generator, batch)
        assert objective.critic is not None
        before = objective.generator_loss(objective.critic, batch, filled, 3)
        after = objective.generator_loss(objective.critic, batch, filled, 4)
        assert set(after.terms) - set(before.terms) == {"g_adversarial"}
        added = after.total - before.total
        torch.testing.assert_close(added, 0.01 * after.terms["g_adversarial"])

    def test_l1_is_over_the_whole_image(self, batch: Batch) -> None:
        objective = DeepFillV2Objective(tiny())
        filled = Made(batch.image + 0.5, batch.image - 0.25)
        losses = objective.generator_loss(lambda *_: torch.zeros(2, 4), batch, filled, 0)
        assert losses.total.item() == pytest.approx(0.75)

    def test_the_discriminator_is_shown_the_truth_deep_in_holes(self) -> None:
        """And so the generator hears of it only of what lies within reach of the known part."""
        image = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
        mask = torch.zeros(1, 1, 64, 64)
        mask[..., 8:56, 8:56] = 1
        batch = Batch(image, mask)
        config = tiny()
        objective = DeepFillV2Objective(
            replace(config, loss=replace(config.loss, adversarial_reach=8))
        )
        seen = []

        def judge(frames: torch.Tensor, *_: torch.Tensor) -> torch.Tensor:
            seen.append(frames)
            return frames.flatten(1)

        refined = torch.zeros_like(image).requires_grad_()
        losses = objective.generator_loss(judge, batch, Made(refined, image), 4)
        (gradient,) = torch.autograd.grad(losses.terms["g_adversarial"], refined)
        (frame,) = seen
        deep = (slice(None), slice(None), slice(17, 47), slice(17, 47))
        rim = (slice(None), slice(None), slice(8, 12), slice(12, 52))
        assert torch.equal(frame[deep], image[deep])
        assert torch.equal(frame * (1 - mask), image * (1 - mask))
        assert not frame[rim].any()
        assert not gradient[deep].any()
        assert gradient[rim].all()
        objective.critic_loss(judge, batch, Made(refined.detach()))
        assert torch.equal(seen[1], torch.cat([image, frame]))
        with pytest.raises(ValueError, match="adversarial_reach of 0 or more, got -1"):
            replace(config.loss, adversarial_reach=-1)

    def test_a_frozen_coarse_network_gets_no_gradient(self, batch: Batch) -> None:
        config = tiny()
        objective = DeepFillV2Objective(
            replace(config, loss=replace(config.loss, coarse_frozen=True, adversarial=0.0))
        )
        network = objective.generator
        filled = objective.fill(network, batch)
        objective.generator_loss(lambda *_: torch.zeros(2, 4), batch, filled, 0).total.backward()
        learning = {name for name, p in network.named_parameters() if p.grad is not None}
        refining = {name for name, _ in network.named_parameters() if not name.startswith("conv")}
        assert learning == refining

    def test_a_network_without_refinement_has_one_loss(self, batch: Batch) -> None:
        config = tiny()
        config = replace(config, network=replace(config.network, refinement=False))
        objective = DeepFillV2Objective(replace(config, loss=replace(config.loss, adversarial=0.0)))
        filled = objective.fill(objective.generator, batch)
        assert filled.coarse is None
        losses = objective.generator_loss(lambda *_: torch.zeros(2, 4), batch, filled, 0)
        assert set(losses.terms) == {"l1_refined"}
        losses.total.backward()
        assert all(each.grad.abs().max() > 0 for each in objective.generator.parameters())
        frozen = replace(config, loss=replace(config.loss, coarse_frozen=True))
        with pytest.raises(ConfigError, match="coarse_frozen=false for a network without"):
            DeepFillV2Objective(frozen)

    def test_known_pixels_may_weigh_less_than_the_hole(self, batch: Batch) -> None:
        config = tiny()
        less = replace(config, loss=replace(config.loss, known=0.25, adversarial=0.0))
        frame = torch.zeros_like(batch.image)
        made = Made(frame, frame / 2)
        losses = DeepFillV2Objective(less).generator_loss(
            lambda *_: torch.zeros(2, 4), batch, made, 0
        )
        apart = batch.image.abs()
        wanted = torch.where(batch.mask > 0, apart, 0.25 * apart).mean()
        assert losses.terms["l1_refined"].item() == pytest.approx(wanted.item(), rel=1e-5)
        assert losses.terms["l1_coarse"].item() == pytest.approx(wanted.item(), rel=1e-5)
        with pytest.raises(ConfigError, match=r"known of 0 or more, got -0\.5"):
            replace(config.loss, known=-0.5)

    def test_the_discriminator_sees_composites_and_the_sketch_in_the_hole(
        self, batch: Batch
    ) -> None:
        config = recipe("deepfill-v2-guided-laptop")
        objective = DeepFillV2Objective(replace(config, network=replace(config.network, width=4)))
        seen = []

        def judge(*inputs: torch.Tensor) -> torch.Tensor:
            seen.append(inputs)
            return torch.zeros(4, 8)

        sketch = torch.ones_like(batch.mask)
        guided = batch._replace(sketch=sketch)
        losses = objective.critic_loss(judge, guided, Made(torch.zeros_like(batch.image)))
        ((images, masks, sketches),) = seen
        known = batch.mask == 0
        assert torch.equal(images[:2], batch.image)
        assert torch.equal(images[2:] * known, batch.image * known)
        assert (images[2:] * batch.mask == 0).all()
        assert torch.equal(masks, torch.cat([batch.mask] * 2))
        assert torch.equal(sketches, torch.cat([sketch] * 2))
        assert losses.total.item() == 1.0


class TestDeepFillV1:
    def test_five_critic_steps_on_their_own_batches(self) -> None:
        objective = make_objective(recipe("deepfill-v1-256"))
        assert objective.turn(0) == Turn(critic=5, generator=True)
        assert objective.separate_batches

    @pytest.mark.parametrize("begins_at", ["square", "hole"])
    def test_reconstruction_is_discounted_in_the_hole_and_even_outside(
        self, batch: Batch, begins_at: str
    ) -> None:
        config = small("deepfill-v1")
        config = replace(config, loss=replace(config.loss, discount=begins_at))
        objective = DeepFillV1Objective(config)
        wrong = torch.linspace(0, 1, 32).view(1, 1, 1, 32).expand_as(batch.image)
        filled = Made(batch.image + wrong, batch.image + 2 * wrong)
        zero = torch.zeros(2, 1)
        losses = objective.generator_loss(lambda *_: (zero, zero), batch, filled, 0)

        expected = 0.0
        corners = hole_corners(batch.mask, 16)
        of_mask = (
            discount_of_square(batch.mask, 16) if begins_at == "square" else discount(batch.mask)
        )
        weights = patches(of_mask, corners, 16)
        local = patches(wrong, corners, 16)
        known = 1 - batch.mask
        for scale, share in ((2.0, 1.2), (1.0, 1.0)):  # coarse, refined
            expected += 1.2 * share * scale * (local * weights).mean().item()
            expected += 1.2 * share * scale * (wrong * known).mean().item() / known.mean().item()
        assert losses.total.item() == pytest.approx(expected, rel=1e-5)

    def test_the_critics_score_real_above_fake(self, batch: Batch) -> None:
        objective = DeepFillV1Objective(small("deepfill-v1"))
        losses = objective.critic_loss(objective.critic, batch, Made(torch.zeros_like(batch.image)))
        terms = losses.terms
        expected = 10 * terms["d_penalty"] - terms["d_distance"]
        torch.testing.assert_close(losses.total, expected)
        losses.total.backward()
        assert objective.critic is not None
        assert all(p.grad is not None for p in objective.critic.parameters())


class TestPartialConv:
    def config(self, tmp_path, **changes) -> TrainConfig:
        torch.manual_seed(0)
        save_trunk(tmp_path / "vgg.pth", VGG16, convolutions=7)
        config = small("partial-conv")
        loss = replace(recipe("partial-conv-512").loss, vgg=tmp_path / "vgg.pth", **changes)
        return replace(config, loss=loss)

    def test_the_six_terms(self, batch: Batch, tmp_path) -> None:
        objective = PartialConvObjective(self.config(tmp_path))
        found = batch.image * 0.5
        total = objective.generator_loss(lambda *_: None, batch, Made(found), 0).total
        vgg, image = objective.vgg, batch.image
        assert vgg is not None
        composite = torch.where(batch.mask > 0, found, image)
        wrong = (found - image).abs()
        known_l1 = (wrong * (1 - batch.mask)).mean()
        hole_l1 = (wrong * batch.mask).mean()
        perceptual = style = torch.zeros(())
        for frame in (found, composite):
            for one, other in zip(vgg(frame), vgg(image), strict=True):
                a, b = (functional.max_pool2d(each, 2) for each in (one, other))
                perceptual = perceptual + (a - b).abs().mean()
                style = style + (gram(a) - gram(b)).abs().mean()
        near = functional.max_pool2d(batch.mask, 3, 1, 1)
        across = (composite[..., 1:] - composite[..., :-1]).abs() * near[..., 1:] * near[..., :-1]
        down = composite[:, :, 1:] - composite[:, :, :-1]
        down = down.abs() * near[:, :, 1:] * near[:, :, :-1]
        variation = (across.sum() + down.sum()) / image.numel()
        expected = known_l1 + 6 * hole_l1 + 0.05 * perceptual + 120 * style + 0.1 * variation
        torch.testing.assert_close(total, expected, rtol=1e-5, atol=1e-6)

    def test_bgr_networks_are_judged_in_rgb(self, batch: Batch, tmp_path) -> None:
        config = self.config(tmp_path)
        found = batch.image * 0.5
        rgb = PartialConvObjective(config)
        bgr = PartialConvObjective(
            replace(config, network=replace(config.network, channel_order="bgr"))
        )
        flipped = batch._replace(image=batch.image.flip(1))
        torch.testing.assert_close(
            bgr.generator_loss(lambda *_: None, flipped, Made(found.flip(1)), 0).total,
            rgb.generator_loss(lambda *_: None, batch, Made(found), 0).total,
        )

    def test_without_vgg_it_says_where_to_get_it_and_how_to_do_without(self) -> None:
        with pytest.raises(ValueError, match=r"vgg16-397923af\.pth.*loss\.style=0"):
            make_objective(recipe("partial-conv-512"))
        make_objective(small("partial-conv"))

    def test_the_second_phase_freezes_the_encoders_norms(self) -> None:
        objective = PartialConvObjective(small("partial-conv"))
        norms = objective.network.encoder_norms()
        assert objective.turn(0).rate == 1.0
        objective.set_mode(0)
        assert all(norm.training for norm in norms)
        assert not list(objective.held(0))
        assert objective.turn(4).rate == 0.25  # 2e-4 becomes 5e-5
        objective.set_mode(4)
        assert not any(norm.training for norm in norms)
        assert objective.network.get_submodule("dec1").training
        assert len(list(objective.held(4))) == 2 * len(norms) == 6


class TestGlobalLocal:
    def test_the_three_phases(self) -> None:
        objective = make_objective(recipe("global-local-256"))
        batch = 96
        assert objective.turn(0) == Turn(0, True)
        assert objective.turn(90_000 * batch - 1) == Turn(0, True)
        assert objective.turn(90_000 * batch) == Turn(1, False)
        assert objective.turn(100_000 * batch - 1) == Turn(1, False)
        assert objective.turn(100_000 * batch) == Turn(1, True)

    def test_the_losses(self, batch: Batch) -> None:
        objective = GlobalLocalObjective(small("global-local"))
        filled = Made(batch.image + 0.5)
        values = torch.tensor([[0.3], [-1.2]])
        first = objective.generator_loss(lambda *_: values, batch, filled, 0)
        # In [0, 1] the error is a quarter, in the hole only.
        expected = 0.0625 * batch.mask.mean().item()
        assert first.total.item() == pytest.approx(expected, rel=1e-5)
        third = objective.generator_loss(lambda *_: values, batch, filled, 6)
        entropy = functional.binary_cross_entropy_with_logits(values, torch.ones(2, 1))
        assert third.total.item() == pytest.approx(expected + 0.0004 * entropy.item(), rel=1e-5)

        both = torch.tensor([[2.0], [0.5], [0.3], [-1.2]])
        critic = objective.critic_loss(lambda *_: both, batch, filled)
        wanted = torch.tensor([[1.0], [1.0], [0.0], [0.0]])
        entropy = functional.binary_cross_entropy_with_logits(both, wanted)
        assert critic.total.item() == pytest.approx(2 * entropy.item(), rel=1e-5)


@pytest.mark.parametrize("accumulate", [1, 2])
def test_parts_of_one_small_sample_are_refused(accumulate: int) -> None:
    config = replace(small("global-local"), batch_size=accumulate, accumulate=accumulate)
    with pytest.raises(ConfigError, match="two samples or more in each part of a batch"):
        make_objective(config)


def test_a_network_of_another_method_is_refused() -> None:
    config = replace(recipe("deepfill-v1-laptop"), method="deepfill_v2")
    with pytest.raises(ValueError, match="expected a DeepFillV2Config"):
        make_objective(config)
    with pytest.raises(ValueError, match="expected a method that can be trained"):
        make_objective(replace(config, method="patchmatch"))
