"""Sums along diagonals by the kernel, against tensor operations."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gatefill.parallel import Threads
from gatefill.runtime import diagonals
from gatefill.runtime.diagonals import sharp_scores


@given(st.tuples(*[st.integers(1, 9)] * 4), st.integers(1, 4), st.integers(0, 2**16))
def test_the_kernel_gives_what_tensor_operations_give(sizes, threads, seed):
    f, g, h, w = sizes
    dice = torch.Generator().manual_seed(seed)
    products = torch.randn(f + 4, g + 4, h + 4, w + 4, generator=dice)
    per_norm, sharpness = torch.rand(h + 2, w + 2, generator=dice), torch.rand(h, w, generator=dice)
    inside = torch.rand(f + 2, g + 2, generator=dice) < 0.8
    barred = torch.zeros(h, w).masked_fill_(sharpness < 0.2, -torch.inf)
    given_to_both = products, per_norm, inside, sharpness, barred

    def uninitialized(shape, dtype):
        return np.full(shape, np.nan, dtype)

    with pytest.MonkeyPatch.context() as patch, Threads(threads) as shared:
        patch.setattr(diagonals, "LEAST", 2**30)
        wanted = sharp_scores(*given_to_both, shared)
        patch.setattr(diagonals, "LEAST", 0)
        patch.setattr(np, "empty", uninitialized)
        found = sharp_scores(*given_to_both, shared)
    assert wanted.shape == (f, g, h, w)
    assert wanted[:, :, sharpness >= 0.2].abs().mean() > 0.1
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-5)
