"""Losses that any method can be trained with, against their definitions."""

from __future__ import annotations

import json
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from gatefill.checkpoints import Provenance, save_weights
from gatefill.errors import ConfigError
from gatefill.settings import with_settings
from gatefill.training.checkpoints import Checkpoints
from gatefill.training.config import OptimizerConfig, TermsConfig, TrainConfig
from gatefill.training.data import open_source
from gatefill.training.data.batch import Batch
from gatefill.training.dists import load_dists
from gatefill.training.loop import train
from gatefill.training.losses import random_corners
from gatefill.training.meters import Status
from gatefill.training.objectives import Losses, Made, make_objective
from gatefill.training.perceptual import hole_places, lpips, perceptual_distance, style_distance
from gatefill.training.spectral import spectral_loss
from gatefill.training.terms import Terms
from gatefill.training.trunks import ALEXNET, VGG16, load_trunk
from tests.training.helpers import same_weights, small, tiny, write_pictures
from tests.training.test_trunks import save_trunk

CPU = torch.device("cpu")
NOTHING = Losses(torch.zeros(()), {})


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    save_trunk(tmp_path / "vgg.pth", VGG16)
    return tmp_path / "vgg.pth"


@pytest.fixture
def batch() -> Batch:
    chance = torch.Generator().manual_seed(1)
    image = torch.rand(2, 3, 64, 64, generator=chance) * 2 - 1
    mask = torch.zeros(2, 1, 64, 64)
    mask[0, :, 10:30, 20:50] = 1
    mask[1, :, 40:60, 5:25] = 1
    return Batch(image, mask)


def save_dists(path: Path) -> None:
    """A file as DISTS publishes it, for the small VGG-16 of `save_trunk`."""
    torch.manual_seed(0)
    torch.save({name: torch.rand(41) for name in ("alpha", "beta")}, path)


def maps(seed: int) -> list[torch.Tensor]:
    chance = torch.Generator().manual_seed(seed)
    return [torch.randn(2, 5, side, side, generator=chance).relu() for side in (64, 16)]


def added(config: TrainConfig, batch: Batch, refined: torch.Tensor) -> Losses:
    return Terms(config, CPU).add(NOTHING, batch, Made(refined))


class TestDistances:
    def test_the_perceptual_one_is_that_of_lpips_over_the_holes(self, batch: Batch) -> None:
        ours, theirs = maps(0), maps(1)
        channels = [torch.arange(5.0), torch.ones(5)]
        found = perceptual_distance(hole_places(ours, theirs, batch.mask), channels)
        wanted = 0.0
        for a, b, weight in zip(ours, theirs, channels, strict=True):
            a, b, scale = a.numpy(), b.numpy(), 64 // a.shape[-1]
            values = []
            for n in range(2):
                hole = batch.mask[n, 0].numpy().reshape(a.shape[2], scale, a.shape[3], scale)
                for y, x in np.argwhere(hole.max(axis=(1, 3))):
                    one, other = a[n, :, y, x], b[n, :, y, x]
                    one = one / (np.linalg.norm(one) + 1e-10)
                    other = other / (np.linalg.norm(other) + 1e-10)
                    values.append(((one - other) ** 2 * weight.numpy()).sum())
            wanted += np.mean(values)
        assert wanted > 1
        assert found.item() == pytest.approx(wanted, rel=1e-3)

    def test_features_outside_the_holes_do_not_count(self, batch: Batch) -> None:
        ours, theirs = maps(0), maps(1)
        outside = 1 - torch.nn.functional.max_pool2d(batch.mask, 4, 4)
        moved = [ours[0] + (1 - batch.mask), ours[1] + outside]
        before, after = (hole_places(each, theirs, batch.mask) for each in (ours, moved))
        assert style_distance(before) == style_distance(after) > 0.1
        weights = [torch.ones(5)] * 2
        assert perceptual_distance(before, weights) == perceptual_distance(after, weights)

    def test_style_does_not_ask_where_but_perception_does(self, batch: Batch) -> None:
        theirs = maps(1)[:1]
        rows, columns = slice(10, 30), slice(20, 50)
        turned = theirs[0].clone()
        turned[0, :, rows, columns] = theirs[0][0, :, rows, columns].flip(1, 2)
        taps = hole_places([turned], theirs, batch.mask)
        assert style_distance(taps).item() == pytest.approx(0, abs=1e-4)
        assert perceptual_distance(taps, [torch.ones(5)]) > 0.3

    def test_style_is_one_where_all_variation_is_missing(self, batch: Batch) -> None:
        theirs = maps(1)
        flat = [torch.ones_like(each) for each in theirs]
        value = style_distance(hole_places(flat, theirs, batch.mask)).item()
        assert value == pytest.approx(1 / 1.1, rel=0.02)  # 1.1: the floor for flat holes

    def test_without_holes_and_at_the_truth_both_are_zero_with_finite_gradients(
        self, batch: Batch
    ) -> None:
        for mask in (torch.zeros_like(batch.mask), batch.mask):
            theirs = maps(1)
            ours = [each.clone().requires_grad_() for each in theirs]
            taps = hole_places(ours, theirs, mask)
            total = style_distance(taps) + perceptual_distance(taps, [torch.ones(5)] * 2)
            assert total.item() == pytest.approx(0, abs=1e-5)
            gradients = torch.autograd.grad(total, ours, allow_unused=True)
            assert all(torch.isfinite(each).all() for each in gradients if each is not None)

    def test_lpips_is_the_mean_over_the_image(self, tmp_path: Path, batch: Batch) -> None:
        save_trunk(tmp_path / "net.pth", ALEXNET)
        trunk = load_trunk(tmp_path / "net.pth")
        other = batch.image.flip(3)
        everywhere = torch.ones_like(batch.mask[:1])
        for n, value in enumerate(lpips(trunk, other, batch.image)):
            taps = hole_places(trunk(other[n : n + 1]), trunk(batch.image[n : n + 1]), everywhere)
            wanted = perceptual_distance(taps, trunk.channel_weights())
            assert value.item() == pytest.approx(wanted.item(), rel=1e-4)


class TestTerms:
    def test_each_is_added_by_its_weight(self, batch: Batch, weights: Path) -> None:
        config = replace(
            tiny(), terms=TermsConfig(perceptual=2, style=3, spectral=5, perceptual_weights=weights)
        )
        refined = torch.zeros_like(batch.image).requires_grad_()
        terms = Terms(config, CPU)
        start = Losses(torch.tensor(7.0), {"l1": torch.tensor(7.0)})
        losses = terms.add(start, batch, Made(refined))
        composite = batch.composite(refined)
        assert terms.trunk is not None
        taps = hole_places(terms.trunk(composite), terms.trunk(batch.image), batch.mask)
        perceptual = perceptual_distance(taps, terms.trunk.channel_weights())
        found = {name: value.item() for name, value in losses.terms.items()}
        assert found == {
            "l1": 7,
            "perceptual": pytest.approx(perceptual.item(), rel=0.02),  # bfloat16 on some machines
            "style": pytest.approx(style_distance(taps).item(), rel=0.02),
            "spectral": pytest.approx(spectral_loss(composite, batch.image, batch.mask).item()),
        }
        expected = 7 + 2 * found["perceptual"] + 3 * found["style"] + 5 * found["spectral"]
        assert losses.total.item() == pytest.approx(expected, rel=1e-5)
        (gradient,) = torch.autograd.grad(losses.total, refined)
        assert gradient[batch.mask.expand_as(gradient) > 0].abs().min() > 0
        assert not (gradient * (1 - batch.mask)).any()

    @pytest.mark.parametrize("order", ["rgb", "bgr"])
    def test_dists_is_that_of_the_evaluation_in_the_window(
        self, order: str, batch: Batch, weights: Path, tmp_path: Path
    ) -> None:
        save_dists(tmp_path / "dists.pt")
        terms = TermsConfig(
            dists=3, perceptual_weights=weights, dists_weights=tmp_path / "dists.pt", window=64
        )
        config = replace(tiny(), terms=terms)
        config = replace(config, network=replace(config.network, channel_order=order))
        refined = batch.image.roll(7, 3).requires_grad_()
        losses = added(config, batch, refined)
        dists = load_dists(weights, tmp_path / "dists.pt")
        pair = [batch.composite(refined), batch.image]
        expected = dists(*(each.flip(1) if order == "bgr" else each for each in pair)).mean()
        assert expected > 0.02
        assert list(losses.terms) == ["dists"]
        assert losses.terms["dists"].item() == pytest.approx(expected.item(), rel=0.03)
        assert losses.total == 3 * losses.terms["dists"]
        (gradient,) = torch.autograd.grad(losses.total, refined)
        assert gradient[batch.mask.expand_as(gradient) > 0].abs().min() > 0
        assert torch.isfinite(gradient).all()

    def test_dists_compares_the_same_window_of_a_larger_sample(
        self, weights: Path, tmp_path: Path
    ) -> None:
        """The hole is a smaller part of all of the sample than of a window around it."""
        save_dists(tmp_path / "dists.pt")
        terms = TermsConfig(
            dists=1, perceptual_weights=weights, dists_weights=tmp_path / "dists.pt"
        )
        chance = torch.Generator().manual_seed(2)
        image = torch.rand(1, 3, 160, 160, generator=chance) * 2 - 1
        mask = torch.zeros(1, 1, 160, 160)
        mask[..., 70:90, 70:90] = 1
        values = [
            added(
                replace(tiny(), terms=replace(terms, window=window)), Batch(image, mask), -image
            ).total.item()
            for window in (None, 64)
        ]
        assert 0 < 2 * values[0] < values[1]

    def test_without_weights_nothing_is_added(self, batch: Batch) -> None:
        losses = added(tiny(), batch, torch.zeros_like(batch.image))
        assert losses == Losses(NOTHING.total, {})

    def test_bgr_networks_are_judged_in_rgb(self, batch: Batch, weights: Path) -> None:
        config = replace(tiny(), terms=TermsConfig(perceptual=1, perceptual_weights=weights))
        bgr = replace(config, network=replace(config.network, channel_order="bgr"))
        refined = batch.image.roll(5, 3)
        rgb = added(config, batch, refined).total
        assert rgb > 0.1
        flipped = batch._replace(image=batch.image.flip(1))
        assert added(bgr, flipped, refined.flip(1)).total == rgb
        assert added(bgr, batch, refined).total != rgb

    def test_a_window_shows_a_part_of_each_hole(self, weights: Path) -> None:
        """Where all of the hole lies in the window, nothing changes."""
        chance = torch.Generator().manual_seed(2)
        image = torch.rand(1, 3, 160, 160, generator=chance) * 2 - 1
        mask = torch.zeros(1, 1, 160, 160)
        mask[..., 70:90, 70:90] = 1
        batch = Batch(image, mask)
        config = replace(tiny(), terms=TermsConfig(style=1, perceptual_weights=weights, taps=1))
        refined = image.roll(7, 3)
        whole = added(config, batch, refined).total.item()
        windowed = replace(config, terms=replace(config.terms, window=96))
        assert added(windowed, batch, refined).total.item() == pytest.approx(whole, rel=1e-3)
        everywhere = batch._replace(mask=torch.ones_like(mask))
        values = [added(windowed, everywhere, refined).total.item() for _ in range(3)]
        assert len(set(values)) == 3  # another place each time

    def test_random_corners_hold_a_pixel_of_the_hole_and_lie_inside(self, batch: Batch) -> None:
        for _ in range(20):
            for (top, left), mask in zip(
                random_corners(batch.mask, 16).tolist(), batch.mask, strict=True
            ):
                assert 0 <= top <= 48
                assert 0 <= left <= 48
                assert mask[0, top : top + 16, left : left + 16].any()
        assert random_corners(batch.mask, 100).tolist() == [[0, 0], [0, 0]]

    def test_a_discriminator_looks_near_the_boundary(self, batch: Batch) -> None:
        """It learns to tell there, and the generator hears nothing of what lies deeper."""
        torch.manual_seed(0)
        terms = TermsConfig(hinge=0.5, hinge_reach=4, hinge_width=8)
        made = Terms(replace(tiny(optimizer=OptimizerConfig(lr=3e-3)), terms=terms), CPU)
        refined = torch.zeros_like(batch.image).requires_grad_()
        found = [made.add(NOTHING, batch, Made(refined)) for _ in range(25)]
        assert found[0].terms["hinge_d_loss"].item() == pytest.approx(1.0, abs=0.05)
        assert found[-1].terms["hinge_d_loss"] < 0.8
        last = found[-1]
        assert last.total == 0.5 * last.terms["hinge"]
        (gradient,) = torch.autograd.grad(last.total, refined)
        assert gradient[0, :, 10, 20:50].all()  # the hole is rows 10 to 29, columns 20 to 49
        assert not gradient[0, :, 15:25, 25:45].any()
        assert not gradient[0, :, :10].any()

    def test_the_discriminator_goes_on_with_the_run(self, tmp_path: Path) -> None:
        photos = open_source(write_pictures(tmp_path / "photos", 8)[0].parent)
        terms = TermsConfig(hinge=0.1, hinge_reach=4, hinge_width=4)
        config = replace(small("global-local"), terms=terms, checkpoint_every=4)
        train(config, photos, tmp_path / "straight", devices="cpu")

        def stop(status: Status) -> None:
            if status.images == 4:
                signal.raise_signal(signal.SIGTERM)

        train(config, photos, tmp_path / "twice", devices="cpu", watch=stop)
        train(config, photos, tmp_path / "twice", devices="cpu")
        one, two = (
            Checkpoints(tmp_path / name / "checkpoints", 1).load_last()
            for name in ("straight", "twice")
        )
        assert one is not None
        assert two is not None
        for name, value in one["hinge"]["discriminator"].items():
            assert torch.equal(value, two["hinge"]["discriminator"][name])
        assert same_weights(
            tmp_path / "straight" / "last.safetensors", tmp_path / "twice" / "last.safetensors"
        )

    @pytest.mark.parametrize("teacher", ["rgb", "bgr", "partial-conv"])
    def test_a_teacher_is_followed_in_the_holes(
        self, batch: Batch, teacher: str, tmp_path: Path
    ) -> None:
        """Its fills cost nothing, whatever its order of channels, and the truth does."""
        other = small("partial-conv") if teacher == "partial-conv" else tiny()
        other = replace(
            other,
            initialization="keep_variance",
            network=replace(other.network, channel_order="bgr" if teacher == "bgr" else "rgb"),
        )
        torch.manual_seed(0)
        network = make_objective(other).generator.eval()
        facts = Provenance(source="a test", data="none", license="none")
        path = tmp_path / "teacher.safetensors"
        save_weights(path, other.method, other.network, network.state_dict(), facts)
        turned = teacher == "bgr"
        with torch.no_grad():
            made = network(batch.image.flip(1) if turned else batch.image, batch.mask)
        frames = [made] if isinstance(made, torch.Tensor) else [made.refined, made.coarse]
        frames = [frame.flip(1) if turned else frame for frame in frames]
        assert all((frame - batch.image).abs().mean() > 0.1 for frame in frames)
        config = replace(tiny(), terms=TermsConfig(teacher=2.0, teacher_weights=path))
        terms = Terms(config, CPU)
        followed = terms.add(NOTHING, batch, Made(*frames))
        assert followed.total.item() == pytest.approx(0, abs=0.01)
        truth = terms.add(NOTHING, batch, Made(*[batch.image] * len(frames)))
        expected = sum(((f - batch.image).abs() * batch.mask).mean().item() for f in frames)
        assert truth.terms["teacher"].item() == pytest.approx(expected, rel=0.02)
        assert truth.total == 2 * truth.terms["teacher"]

    def test_without_a_teacher_it_says_what_is_missing(self) -> None:
        with pytest.raises(ConfigError, match=r"expected terms\.teacher_weights=FILE, got none"):
            Terms(with_settings(tiny(), ["terms.teacher=1"]), CPU)

    @pytest.mark.parametrize("method", ["global-local", "partial-conv", "deepfill-v1"])
    def test_other_methods_train_with_them_too(
        self, method: str, weights: Path, tmp_path: Path
    ) -> None:
        write_pictures(tmp_path / "photos", 8)
        config = replace(
            small(method), terms=TermsConfig(perceptual=0.1, style=0.1, perceptual_weights=weights)
        )
        train(config, open_source(tmp_path / "photos"), tmp_path / "run", devices="cpu")
        lines = (tmp_path / "run" / "log.jsonl").read_text().splitlines()
        logged = [json.loads(line) for line in lines]
        values = [line["perceptual"] for line in logged if line["kind"] == "train"]
        assert values
        assert all(value > 0 for value in values)

    def test_without_a_file_of_weights_it_says_what_is_missing(self) -> None:
        config = with_settings(tiny(), ["terms.style=1"])
        with pytest.raises(ConfigError, match=r"expected terms\.perceptual_weights=FILE, got none"):
            Terms(config, CPU)

    def test_dists_without_alpha_and_beta_says_what_is_missing(self, weights: Path) -> None:
        config = with_settings(tiny(), ["terms.dists=1", f"terms.perceptual_weights={weights}"])
        with pytest.raises(ConfigError, match=r"expected terms\.dists_weights=FILE, got none"):
            Terms(config, CPU)

    @pytest.mark.parametrize(
        ("setting", "message"),
        [
            ("terms.perceptual=-1", r"expected terms\.perceptual of 0 or more, got -1"),
            ("terms.taps=6", r"expected terms\.taps from 1 to 5, got 6"),
            ("terms.window=32", r"expected terms\.window of 64 or more or none, got 32"),
        ],
    )
    def test_weights_out_of_range_are_refused(self, setting: str, message: str) -> None:
        with pytest.raises(ConfigError, match=message):
            with_settings(tiny(), [setting])
