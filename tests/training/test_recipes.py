"""Recipes, settings, initialization, rates."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gatefill.methods.networks.deepfill_v2 import DeepFillV2Config, DeepFillV2Network
from gatefill.methods.registry import RECIPES
from gatefill.settings import with_settings
from gatefill.training.config import DataConfig, OptimizerConfig, TrainConfig
from gatefill.training.ema import Ema
from gatefill.training.initialization import initialize
from gatefill.training.objectives import make_objective
from gatefill.training.optimizers import TensorFlowAdam, rate_factor
from gatefill.training.recipes import recipe


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_carries_its_name_and_fits_its_method(name: str) -> None:
    config = recipe(name)
    assert config.recipe == name
    if name != "partial-conv-512":  # which needs a file of VGG weights
        assert make_objective(config).generator is not None


def test_the_published_numbers() -> None:
    v2, v1 = recipe("deepfill-v2-256"), recipe("deepfill-v1-256")
    assert (v2.batch_size, v2.data.size, v2.data.masks) == (16, 256, "box_or_brush")
    assert (v2.optimizer.lr, v2.optimizer.betas) == (1e-4, (0.5, 0.999))
    assert (v2.loss.coarse, v2.loss.refined, v2.loss.adversarial) == (1, 1, 1)
    assert v2.loss.separate_batches
    assert v2.initialization == "published"
    assert count(v2) == (4_052_478, 5_946_816)
    guided = recipe("deepfill-v2-guided-256")
    assert count(guided)[0] == 4_053_678
    assert guided.data.sketches == "drawn"
    assert v1.optimizer.betas == (0.5, 0.9)
    assert (v1.loss.critic_steps, v1.loss.penalty, v1.loss.adversarial) == (5, 10, 0.001)
    assert count(v1)[0] == 3_601_542
    pc = recipe("partial-conv-512")
    assert (pc.batch_size, pc.data.size, pc.optimizer.lr) == (6, 512, 2e-4)
    assert pc.optimizer.lr * pc.loss.finetune_rate == pytest.approx(5e-5)
    gl = recipe("global-local-256")
    assert (gl.batch_size, gl.images) == (96, 96 * 500_000)


def count(config: TrainConfig) -> tuple[int, int]:
    objective = make_objective(config)
    networks = (objective.generator, objective.critic)
    sizes = [sum(p.numel() for p in network.parameters()) for network in networks if network]
    return sizes[0], sizes[-1]


def test_laptop_recipes_may_be_named_by_what_they_shrink() -> None:
    assert recipe("deepfill-v2-256-laptop") == recipe("deepfill-v2-laptop")
    assert recipe("partial-conv-512-laptop") == recipe("partial-conv-laptop")


def test_an_unknown_recipe_names_its_neighbors() -> None:
    with pytest.raises(ValueError, match="did you mean deepfill-v2-256"):
        recipe("deepfil-v2-256")


def test_settings_are_typed_and_unknown_ones_name_their_neighbors() -> None:
    config = with_settings(
        recipe("deepfill-v2-laptop"),
        ["batch_size=4", "data.size=64", "loss.adversarial=0.5", "optimizer.clip=none"],
    )
    assert (config.batch_size, config.data.size, config.loss.adversarial) == (4, 64, 0.5)
    assert config.optimizer.clip is None
    with pytest.raises(ValueError, match="did you mean batch_size"):
        with_settings(config, ["batchsize=4"])
    with pytest.raises(ValueError, match="expected a whole number for batch_size, got 'four'"):
        with_settings(config, ["batch_size=four"])
    with pytest.raises(ValueError, match="multiples of 8"):
        with_settings(config, ["data.size=100"])
    with pytest.raises(ValueError, match="kinds among box, brush"):
        with_settings(config, ["data.masks=squares"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images": 0}, "images of 1 or more, got 0"),
        ({"ema": 1.0}, r"ema in \[0, 1\), got 1.0"),
        ({"data": DataConfig(sketches="none")}, "guided network needs data.sketches"),
    ],
)
def test_configs_that_cannot_be_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(recipe("deepfill-v2-guided-256"), **change)


class TestInitialization:
    def deepest(self, start: str) -> list[float]:
        """Mean squares of the activations along the coarse network."""
        torch.manual_seed(0)
        network = initialize(DeepFillV2Network(DeepFillV2Config(width=12)), start)
        squares: list[float] = []

        def note(_, __, output) -> None:
            squares.append(output[0].square().mean().item())

        for name in [f"conv{i}" for i in range(1, 13)] + ["conv16"]:
            layers = [layer for key, layer in network.named_children() if key.startswith(name)]
            layers[0].register_forward_hook(note)
        image, mask = torch.rand(2, 3, 64, 64) * 2 - 1, torch.zeros(2, 1, 64, 64)
        mask[..., 16:48, 16:48] = 1
        with torch.no_grad():
            network(image, mask)
        return squares

    def test_the_better_one_keeps_the_signal_alive(self) -> None:
        assert self.deepest("published")[-1] < 1e-6
        squares = self.deepest("keep_variance")
        # Zero padding takes from it where layers look past the border of a small map.
        assert all(0.02 < value < 4 for value in squares)

    def test_the_published_one_is_the_networks_own(self) -> None:
        torch.manual_seed(0)
        network = DeepFillV2Network(DeepFillV2Config(width=4))
        before = {key: value.clone() for key, value in network.state_dict().items()}
        after = initialize(network, "published").state_dict()
        assert all(torch.equal(value, before[key]) for key, value in after.items())


class TestRates:
    def test_warm_up_and_cosine(self) -> None:
        config = OptimizerConfig(schedule="cosine", warmup=100, last=0.1)
        factors = [rate_factor(config, images, 1000) for images in (0, 49, 99, 500, 1000, 2000)]
        assert factors[0] == pytest.approx(0.01)
        assert factors[1] == pytest.approx(0.5, rel=0.01)
        assert factors[2] == pytest.approx(1.0, rel=0.03)
        assert factors[3] == pytest.approx(0.55)
        assert factors[4] == factors[5] == pytest.approx(0.1)

    @given(st.integers(0, 10**9))
    def test_constant_is_constant(self, images: int) -> None:
        assert rate_factor(OptimizerConfig(), images, 1000) == 1.0

    def test_tensorflow_adam_differs_by_epsilon_and_count_only(self) -> None:
        gradient = torch.tensor([1.0, -0.5, 3.0])
        ours, theirs = torch.zeros(3, requires_grad=True), torch.zeros(3, requires_grad=True)
        one = TensorFlowAdam([ours], 0.1, (0.5, 0.999))
        two = torch.optim.Adam([theirs], 0.1, (0.5, 0.999))
        for _ in range(3):
            ours.grad, theirs.grad = gradient.clone(), gradient.clone()
            one.step()
            two.step()
        torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=1e-5)
        fresh = torch.zeros(3, requires_grad=True)
        shared = TensorFlowAdam([fresh], 0.1, (0.5, 0.999))
        shared.others_step()
        fresh.grad = gradient.clone()
        shared.step()
        # Second step's corrections on a first step's moments.
        factor = 0.5 * math.sqrt(1 - 0.999**2) / (1 - 0.5**2) / math.sqrt(0.001)
        torch.testing.assert_close(fresh.detach(), -0.1 * factor * gradient.sign())


def test_the_average_follows_and_forgets_its_start() -> None:
    network = torch.nn.Linear(1, 1)
    average = Ema(torch.nn.Linear(1, 1), 0.9)
    with torch.no_grad():
        network.weight.fill_(1.0)
        average.network.weight.fill_(100.0)
    expected = 100.0
    for step in range(1, 200):
        average.update(network)
        decay = min(0.9, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay)
        assert average.network.weight.item() == pytest.approx(expected, rel=1e-5)
    assert average.network.weight.item() == pytest.approx(1.0, abs=0.01)
