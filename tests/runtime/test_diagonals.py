"""Scores listed by the kernel, against sums by tensor operations."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gatefill.parallel import Threads
from gatefill.runtime.diagonals import listed_scores, three_columns, three_rows
from gatefill.runtime.pasting import NEGLIGIBLE


@given(st.tuples(*[st.integers(1, 9)] * 4), st.integers(0, 2), st.integers(1, 4), st.data())
def test_listed_are_the_scores_that_are_not_far_below_the_largest(sizes, more, threads, data):
    f, g, h, w = sizes
    dice = torch.Generator().manual_seed(data.draw(st.integers(0, 2**16)))
    products = torch.randn(f + 4, g + 4, h + 4 + more, w + 4, generator=dice)
    per_norm, sharpness = torch.rand(h + 2, w + 2, generator=dice), torch.rand(h, w, generator=dice)
    sharpness = torch.where(sharpness < 0.2, 0.0, 5 * sharpness)
    barred = torch.zeros(h, w).masked_fill_(sharpness == 0, -torch.inf)
    before_them = data.draw(st.integers(0, 3))
    before = data.draw(st.sampled_from([-torch.inf, 0.0, 40.0]))  # what other blocks have found
    top = torch.full((f * g,), before)

    scores = three_rows(three_columns(products[:, :, : h + 4])) * per_norm
    table = torch.addcmul(barred, three_rows(three_columns(scores)), sharpness).view(f * g, -1)
    wanted_top = table.amax(dim=1).clamp_min(before)
    given_numbers = torch.full((f * g, h * w), torch.nan)

    def uninitialized(shape, dtype):
        return np.full(shape, np.nan if dtype == np.float32 else -1, dtype)

    with pytest.MonkeyPatch.context() as patch, Threads(threads) as shared:
        patch.setattr(np, "empty", uninitialized)
        rows, cells, found = listed_scores(
            torch.nn.functional.pad(products.flatten(2), (before_them, 0), value=torch.nan),
            before_them,
            per_norm,
            sharpness,
            barred,
            top,
            shared,
        )
    close = {"atol": 2e-4, "rtol": 1e-5}
    torch.testing.assert_close(top, wanted_top, **close)
    given_numbers[rows, cells] = found
    assert (~given_numbers.isnan()).sum() == len(rows)  # none twice
    listed = ~given_numbers.isnan()
    torch.testing.assert_close(given_numbers[listed], table[listed], **close)
    far = table < (wanted_top - NEGLIGIBLE)[:, None] - 1e-3
    assert not (~listed & ~far & (table > -torch.inf)).any()
    assert not (listed & (table < before - NEGLIGIBLE - 1e-3)).any()
