"""Features are computed in tiles where they would be too large, and are the same."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from gatefill.layers.gated import Convolution
from gatefill.runtime import execution
from gatefill.runtime.base import Image
from gatefill.runtime.torch import TorchRuntime

SIDE, WIDTH = 128, 16
WHOLE = SIDE * SIDE * WIDTH * 4  # bytes of a map of the frame


class Plain(nn.Module):
    """Three layers, of which a tile of the last needs two pixels around it."""

    multiple = 1
    config = SimpleNamespace(channel_order="rgb")

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = Convolution(3, WIDTH, kind="vanilla")
        self.second = Convolution(WIDTH, WIDTH, kind="vanilla")
        self.last = Convolution(WIDTH, 3, kind="vanilla", activation="none")

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        result: Tensor = self.last(self.second(self.first(image + mask)))
        return result


def largest_map(**options: int) -> tuple[int, Image]:
    """Bytes of the largest map that a layer puts out in a run, and what the run finds."""
    runtime, sizes = TorchRuntime(Plain(), **options), []
    for layer in runtime.network.children():
        layer.register_forward_hook(lambda *call: sizes.append(call[-1].nbytes))
    image = np.random.default_rng(0).random((SIDE, SIDE, 3), dtype=np.float32)
    found = runtime.run(image, np.ones((SIDE, SIDE), bool))
    return max(sizes), found.image


def test_a_map_of_features_is_at_most_an_eighth_of_the_memory() -> None:
    size, whole = largest_map()
    assert size == WHOLE
    assert whole.std() > 0.05
    for limit in (WHOLE * 8, WHOLE * 4, WHOLE):
        size, tiled = largest_map(memory_limit=limit)
        assert limit / 64 < size <= limit / 8
        np.testing.assert_allclose(tiled, whole, atol=1e-5)


def test_no_tile_is_cut_below_the_least() -> None:
    size, _ = largest_map(memory_limit=1)
    assert size == (execution.LEAST_TILE + 4) ** 2 * WIDTH * 4


@pytest.mark.parametrize(("worth", "is_cut"), [(1.5, True), (1.0, False)])
def test_what_is_not_at_hand_is_cut_where_that_costs_little(
    worth: float, is_cut: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The margins of two halves cost more than the whole, and less than half as much again."""
    monkeypatch.setattr(execution, "WORTH_TILING", worth)
    monkeypatch.setattr(execution, "AT_HAND", WHOLE // 4)
    assert (largest_map()[0] <= WHOLE // 4) == is_cut
