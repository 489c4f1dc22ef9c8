from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gatefill.layers.partial import partial_convolution


def slowly(x, known, weight, bias, stride):
    """Equations 1 and 2 of the paper, one window at a time; symmetric zero padding."""
    channels, height, width = x.shape
    kernel = weight.shape[-1]
    reach = kernel // 2
    padded = np.zeros((channels, height + 2 * reach, width + 2 * reach))
    there = np.zeros_like(padded)
    padded[:, reach : reach + height, reach : reach + width] = x
    there[:, reach : reach + height, reach : reach + width] = known
    features = np.zeros((len(weight), -(-height // stride), -(-width // stride)))
    seen = np.zeros(features.shape[1:])
    for i, j in np.ndindex(seen.shape):
        window = np.s_[:, i * stride : i * stride + kernel, j * stride : j * stride + kernel]
        total = there[window].sum()
        if total > 0:
            scale = channels * kernel * kernel / total
            values = (weight * (padded[window] * there[window])).sum(axis=(1, 2, 3))
            features[:, i, j] = values * scale + bias
            seen[i, j] = 1
    return features, seen


@given(
    st.integers(1, 9),
    st.integers(1, 9),
    st.sampled_from([1, 3, 5]),
    st.sampled_from([1, 2]),
    st.booleans(),
    st.integers(0, 2**16),
)
def test_it_is_the_papers_formula(height, width, kernel, stride, per_channel, seed):
    dice = np.random.default_rng(seed)
    x = dice.normal(size=(2, height, width))
    planes = dice.random((2 if per_channel else 1, height, width)) < 0.4
    known = np.broadcast_to(planes, x.shape).astype(float)
    weight, bias = dice.normal(size=(3, 2, kernel, kernel)), dice.normal(size=3)
    wanted, wanted_seen = slowly(x, known, weight, bias, stride)
    features, seen = partial_convolution(
        *(torch.from_numpy(a)[None] for a in (x, planes.astype(float))),
        torch.from_numpy(weight),
        torch.from_numpy(bias),
        stride=stride,
        padding="symmetric",
    )
    np.testing.assert_allclose(features[0].numpy(), wanted, atol=1e-9)
    np.testing.assert_array_equal(seen[0, 0].numpy(), wanted_seen)


def test_a_hand_computed_window():
    x = torch.tensor([[[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]]]])
    known = torch.tensor([[[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]]])
    features, _ = partial_convolution(x, known, torch.ones(1, 1, 3, 3), torch.tensor([0.5]))
    # The three known pixels of nine add up to 15, and 15 * 9 / 3 + 0.5 = 45.5.
    assert features[0, 0, 1, 1].item() == pytest.approx(45.5)


def test_unknown_values_do_not_matter_and_nothing_known_gives_nothing():
    x = torch.randn(1, 2, 6, 6)
    known = torch.zeros(1, 1, 6, 6)
    known[..., :2] = 1
    weight, bias = torch.randn(4, 2, 3, 3), torch.ones(4)
    features, seen = partial_convolution(x, known, weight, bias)
    other, _ = partial_convolution(x + 100 * (1 - known), known, weight, bias)
    assert torch.equal(features, other)
    assert seen[0, 0, 0].tolist() == [1, 1, 1, 0, 0, 0]
    assert not features[..., 3:].any()


def test_a_mask_of_other_channels_is_refused():
    with pytest.raises(ValueError, match="1 or 4 channels, got 3"):
        partial_convolution(torch.ones(1, 4, 5, 5), torch.ones(1, 3, 5, 5), torch.ones(1, 4, 3, 3))
