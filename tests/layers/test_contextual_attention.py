from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gatefill.layers.contextual_attention import ContextualAttention, contextual_attention
from gatefill.layers.padding import resize_nearest, upsample_twice
from tests.layers.literal_attention import literal_attention
from tests.official import arrays, nchw, nhwc

CASES = ["ca_32_fneb", "ca_24x40_batch2", "ca_nomask", "ca_allmasked", "ca_zero_patches"]


def random_pair(height, width, batch=1, channels=3, seed=0, dtype=torch.float32):
    dice = torch.Generator().manual_seed(seed)
    shape = (batch, channels, 2 * height, 2 * width)
    f, b = (torch.randn(shape, generator=dice, dtype=dtype) for _ in range(2))
    hole = (torch.rand(batch, 1, height, width, generator=dice) < 0.08).to(dtype)
    return f, b, hole


@pytest.mark.parametrize("fuse", [True, False])
@pytest.mark.parametrize("case", CASES)
def test_it_equals_the_original(case, fuse):
    run = arrays(case)
    suffix = "fuse" if fuse else "nofuse"
    f, b = nchw(run["f"]), nchw(run["b"])
    h, w = f.shape[2] // 2, f.shape[3] // 2
    hole = None
    if "mask" in run:
        hole = resize_nearest(nchw(run["mask"]), h, w).expand(len(f), -1, -1, -1)
    found = contextual_attention(f, b, hole, fuse=fuse)
    torch.testing.assert_close(found.features, nchw(run[f"y_{suffix}"]), atol=2e-6, rtol=0)
    assert (nhwc(found.offsets) == run[f"offset_{suffix}"]).all()
    if case != "ca_allmasked":  # its softmax was written down before the invalid ones were cut
        wanted = nchw(run[f"softmax_{suffix}"]).amax(dim=1, keepdim=True)
        torch.testing.assert_close(found.weights, wanted, atol=5e-6, rtol=0)


@given(st.integers(1, 7), st.integers(1, 7), st.booleans(), st.integers(0, 2**16))
def test_it_equals_a_literal_transcription_at_any_size(height, width, fuse, seed):
    f, b, hole = random_pair(height, width, seed=seed)
    wanted, weights = literal_attention(f, b, hole, fuse)
    found = contextual_attention(f, b, hole, fuse=fuse)
    torch.testing.assert_close(found.features, wanted, atol=2e-5, rtol=1e-4)
    strongest = weights.amax(dim=1)
    torch.testing.assert_close(found.weights.flatten(), strongest, atol=2e-5, rtol=1e-4)


def test_gradients_equal_those_of_the_literal_transcription():
    f, b, hole = random_pair(5, 4, dtype=torch.float64)
    f, b = (0.3 * x.float() for x in (f, b))
    pull = torch.randn(f.shape, generator=torch.Generator().manual_seed(5))
    results = []
    for attend in (
        lambda x, y: literal_attention(x, y, hole.float())[0],
        lambda x, y: contextual_attention(x, y, hole.float()).features,
    ):
        leaves = [x.clone().requires_grad_() for x in (f, b)]
        results.append(torch.autograd.grad((attend(*leaves) * pull).sum(), leaves))
    for wanted, got in zip(*results, strict=True):
        torch.testing.assert_close(got, wanted, atol=2e-5, rtol=1e-4)


def test_each_sample_of_a_batch_has_its_own_mask():
    f, b, hole = random_pair(6, 5, batch=2, seed=3)
    hole[0], hole[1] = 0, 0
    hole[0, :, :3], hole[1, :, :, 3:] = 1, 1
    both = contextual_attention(f, b, hole)
    for i in (0, 1):
        one = contextual_attention(f[i : i + 1], b[i : i + 1], hole[i : i + 1])
        torch.testing.assert_close(both.features[i : i + 1], one.features, atol=1e-6, rtol=1e-5)
        assert torch.equal(both.offsets[i : i + 1], one.offsets)
    # The second sample may look where the first has its hole, and does.
    rows = both.offsets[1, 0] + torch.arange(6).view(-1, 1)
    assert (rows[both.weights[1, 0] > 0] < 3).any()


def test_no_weight_falls_on_patches_that_touch_the_hole():
    _, b, hole = random_pair(8, 8)
    hole.zero_()
    hole[..., 3:5, 3:5] = 1
    background = torch.ones_like(b)
    background[:, :, 6:10, 6:10] = 1e3  # the hole and nothing else
    found = contextual_attention(torch.zeros_like(b), background, hole)
    # Of 64 equal scores, the 48 that count leave three quarters of everything.
    inner = found.features[..., 4:-4, 4:-4]
    assert inner.max() <= 1
    torch.testing.assert_close(found.weights, torch.full((1, 1, 8, 8), 1 / 64))


def test_half_precision_comes_back_in_half_precision():
    f, b, hole = random_pair(6, 6)
    found = contextual_attention(f.bfloat16(), b.bfloat16(), hole.bfloat16())
    wanted = contextual_attention(f.bfloat16().float(), b.bfloat16().float(), hole)
    assert found.features.dtype == torch.bfloat16
    assert torch.equal(found.features, wanted.features.bfloat16())


def test_the_module_attends_to_itself():
    f, _, hole = random_pair(4, 6)
    mask = upsample_twice(upsample_twice(upsample_twice(hole)))
    found = ContextualAttention(fuse=False, resizing="floor")(f, mask)
    wanted = contextual_attention(f, f, hole, fuse=False, resizing="floor")
    assert torch.equal(found.features, wanted.features)


@pytest.mark.parametrize(
    ("f", "b", "hole"),
    [
        ((1, 2, 5, 4), (1, 2, 5, 4), None),
        ((1, 2, 4, 4), (1, 2, 4, 6), None),
        ((2, 2, 4, 4), (2, 2, 4, 4), (1, 1, 2, 2)),
        ((1, 2, 4, 4), (1, 2, 4, 4), (1, 1, 4, 4)),
    ],
)
def test_misfitting_sizes_are_refused(f, b, hole):
    with pytest.raises(ValueError, match="expected"):
        contextual_attention(
            torch.ones(f), torch.ones(b), None if hole is None else torch.ones(hole)
        )


def test_autocast_leaves_it_in_full_precision():
    torch.manual_seed(0)
    features, mask = torch.randn(1, 16, 16, 16), torch.zeros(1, 1, 64, 64)
    mask[..., 16:40, 16:40] = 1
    attention = ContextualAttention()
    expected = attention(features, mask)
    with torch.autocast("cpu", torch.bfloat16):
        found = attention(features, mask)
    assert torch.equal(found.features, expected.features)
    assert torch.equal(found.offsets, expected.offsets)
