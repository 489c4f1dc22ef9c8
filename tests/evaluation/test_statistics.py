"""Bootstrap intervals: they hold the truth as often as they say, and photos count, not cases."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from gatefill.evaluation.statistics import estimates


def names(count: int) -> list[str]:
    return [f"photo{number}" for number in range(count)]


def test_intervals_hold_the_true_mean_as_often_as_they_say() -> None:
    rng = np.random.default_rng(0)
    found = estimates(rng.gamma(2, 1, (60, 800)), names(60))
    held = [item is not None and item.low <= 2 <= item.high for item in found]
    assert 0.91 < np.mean(held) < 0.97


def test_intervals_are_those_of_scipy() -> None:
    values = np.random.default_rng(1).normal(5, 2, 50)
    own = estimates(values[:, None], names(50))[0]
    theirs = stats.bootstrap(
        (values,), np.mean, n_resamples=5000, method="percentile", rng=np.random.default_rng(0)
    ).confidence_interval
    assert own is not None
    assert own.mean == pytest.approx(values.mean())
    assert [own.low, own.high] == pytest.approx([theirs.low, theirs.high], abs=0.1)


def test_more_holes_in_the_same_photos_do_not_narrow_the_interval() -> None:
    values = np.random.default_rng(2).normal(0, 1, (20, 1))
    once = estimates(values, names(20))
    fivefold = estimates(np.repeat(values, 5, axis=0), list(np.repeat(names(20), 5)))
    assert once[0] is not None
    assert fivefold[0] is not None
    assert fivefold[0].cases == 100
    assert fivefold[0].photos == 20
    assert [fivefold[0].low, fivefold[0].high] == pytest.approx([once[0].low, once[0].high])


def test_what_was_not_measured_is_left_out() -> None:
    table = np.array([[1.0, np.nan, np.nan], [3.0, 7.0, np.nan]])
    first, second, third = estimates(table, ["a", "b"])
    assert first is not None
    assert (first.mean, first.cases, first.photos) == (2.0, 2, 2)
    assert second is not None
    assert (second.mean, second.low, second.cases) == (7.0, None, 1)
    assert third is None


def test_one_photo_has_no_interval() -> None:
    found = estimates(np.array([[1.0], [2.0]]), ["a", "a"])[0]
    assert found is not None
    assert (found.mean, found.low, found.high) == (1.5, None, None)


def test_repeats_and_does_not_depend_on_the_order_of_cases() -> None:
    values, photos = np.random.default_rng(3).normal(0, 1, (9, 2)), names(9)
    assert estimates(values, photos) == estimates(values, photos)
    turned = estimates(values[::-1], photos[::-1])
    for one, other in zip(estimates(values, photos), turned, strict=True):
        assert one is not None
        assert other is not None
        assert [one.mean, one.low, one.high] == pytest.approx([other.mean, other.low, other.high])


def test_lengths_must_agree() -> None:
    with pytest.raises(ValueError, match="a photo for each case"):
        estimates(np.zeros((3, 1)), ["a"])
