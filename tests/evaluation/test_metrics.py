"""Metrics: their values by hand and by other libraries, their ranges, at any size."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import wasserstein_distance
from skimage.metrics import structural_similarity

from gatefill.evaluation import METRICS, Pair
from gatefill.evaluation.metrics import patches, rim, variation_of
from gatefill.masks import MASKS, hole_share
from tests.evaluation.helpers import texture

PERFECT = {"psnr": 100.0, "ssim": 1.0, "ms_ssim": 1.0}


def pair(truth: np.ndarray, fill: np.ndarray, mask: np.ndarray) -> Pair:
    return Pair(truth, np.where(mask[..., None], fill, truth), mask)


def center(height: int, width: int) -> np.ndarray:
    return MASKS["center"](height, width, 0)


def value(name: str, of: Pair) -> float:
    found = METRICS[name].measure(of)
    assert found is not None
    return found


@st.composite
def pairs(draw: st.DrawFn) -> Pair:
    height, width = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    mask = MASKS[draw(st.sampled_from(sorted(MASKS)))](height, width, seed)
    truth, fill = (
        rng.integers(0, 256, (height, width, 3)) // draw(st.sampled_from([1, 64, 256]))
        for _ in range(2)
    )
    return pair(truth.astype(np.uint8), fill.astype(np.uint8), mask)


@given(pairs())
def test_every_metric_keeps_to_its_range_at_any_size(of: Pair) -> None:
    for metric in METRICS.values():
        found = metric.measure(of)
        if found is None:
            assert min(of.mask.shape) < 176
            continue
        assert isinstance(found, float)
        assert found >= metric.low - 1e-6
        assert metric.high is None or found <= metric.high + 1e-6
    for name in ("l1", "l2", "hole_l1", "hole_l2", "psnr", "tv"):
        assert METRICS[name].measure(of) is not None


@given(pairs())
def test_the_truth_is_perfect(of: Pair) -> None:
    same = Pair(of.truth, of.truth, of.mask)
    for metric in METRICS.values():
        found = metric.measure(same)
        if found is None or metric.name == "tv":
            continue
        assert found == pytest.approx(PERFECT.get(metric.name, 0.0), abs=1e-6)


@given(pairs())
def test_whole_photo_errors_are_the_holes_times_its_share(of: Pair) -> None:
    share = hole_share(of.mask)
    for order in ("1", "2"):
        assert value(f"l{order}", of) == pytest.approx(share * value(f"hole_l{order}", of))
    # What docs/metrics.md says about the paper's numbers rests on this.
    assert value("l1", of) <= 100 * np.sqrt(share * value("l2", of) / 100) + 1e-9


def test_errors_by_hand() -> None:
    truth = np.zeros((4, 4, 3), np.uint8)
    mask = np.zeros((4, 4), bool)
    mask[0, :2] = True
    fill = np.zeros((4, 4, 3), np.uint8)
    fill[0, 0] = 255
    of = pair(truth, fill, mask)
    assert value("l1", of) == pytest.approx(100 / 16)
    assert value("l2", of) == pytest.approx(100 / 16)
    assert value("hole_l1", of) == pytest.approx(50)
    assert value("psnr", of) == pytest.approx(10 * np.log10(16))
    # one white corner: a step to the right and one down, in three channels of 48 values
    assert value("tv", of) == pytest.approx(100 * 6 / 48)


def test_the_rim_is_where_hole_meets_known() -> None:
    mask = np.zeros((7, 7), bool)
    mask[0:5, 1:6] = True  # it reaches the frame at the top: nothing known lies beyond
    expected = np.zeros((7, 7), bool)
    expected[0:5, [1, 5]] = True
    expected[4, 1:6] = True
    np.testing.assert_array_equal(rim(mask), expected)
    fill = np.zeros((7, 7, 3), np.uint8)
    fill[expected] = 51
    assert value("rim_l1", pair(np.zeros_like(fill), fill, mask)) == pytest.approx(20)
    assert METRICS["rim_l1"].measure(Pair(fill, fill, np.ones((7, 7), bool))) is None


def test_ssim_is_that_of_scikit_image() -> None:
    truth = texture(1)
    of = pair(truth, cv2.GaussianBlur(truth, (0, 0), 2), center(64, 80))
    _, expected = structural_similarity(
        of.truth,
        of.output,
        channel_axis=-1,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        full=True,  # it leaves out the border, torchmetrics does not
    )
    assert 0.5 < value("ssim", of) < 0.99
    assert value("ssim", of) == pytest.approx(expected.mean(), abs=2e-3)


def test_ms_ssim_needs_176_pixels_and_falls_with_blur() -> None:
    truth = texture(2, 176, 180)
    mask = center(176, 180)
    soft, softer = (pair(truth, cv2.GaussianBlur(truth, (0, 0), s), mask) for s in (1.5, 6))
    assert 0 < value("ms_ssim", softer) < value("ms_ssim", soft) < 1
    small = Pair(truth[:175], truth[:175], mask[:175])
    assert METRICS["ms_ssim"].measure(small) is None


def test_total_variation_of_stripes() -> None:
    stripes = np.zeros((10, 10, 3), np.uint8)
    stripes[:, ::2] = 255
    assert variation_of(stripes) == pytest.approx(90)
    assert variation_of(np.full((5, 5, 3), 9, np.uint8)) == 0


# The patch distance


def test_patch_distance_is_the_mean_of_sorted_distances() -> None:
    """Against scipy, one scale, direction by direction."""
    rng = np.random.default_rng(0)
    one, other = (rng.normal(0, 20, (60, 147)).astype(np.float32) for _ in range(2))
    vectors = patches._directions(147)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=0), 1, rtol=1e-5)
    expected = np.mean([wasserstein_distance(one @ v, other @ v) for v in vectors.T])
    assert patches._distance(one, other) == pytest.approx(expected, rel=1e-4)


def test_patch_distance_knows_texture_and_not_place_or_brightness() -> None:
    noise = np.random.default_rng(0).normal(128, 90, (128, 256, 3))
    plane = np.clip(cv2.GaussianBlur(noise, (0, 0), 1), 0, 255).astype(np.uint8)
    mask = center(128, 128)
    truth, elsewhere = plane[:, :128], plane[:, 128:]
    blurred = cv2.GaussianBlur(truth, (0, 0), 4)
    brighter = np.clip(truth.astype(int) // 2 + 60, 0, 255).astype(np.uint8)
    dim = (truth // 2).astype(np.uint8)
    texture_elsewhere = value("swd", pair(truth, elsewhere, mask))
    assert texture_elsewhere < 0.5 * value("swd", pair(truth, blurred, mask))
    assert value("hole_l1", pair(truth, elsewhere, mask)) > value(
        "hole_l1", pair(truth, blurred, mask)
    ), "L1 prefers the blur"
    whole = np.ones((128, 128), bool)
    assert value("swd", Pair(dim, (brighter - 60).astype(np.uint8), whole)) == pytest.approx(0)
    assert value("swd", Pair(dim, (dim + 40).astype(np.uint8), whole)) == pytest.approx(0, abs=1e-4)


def test_patch_distance_thins_large_holes_and_repeats() -> None:
    truth, fill = texture(4, 200, 200), texture(5, 200, 200)
    mask = np.zeros((200, 200), bool)
    mask[20:180, 20:180] = True
    of = pair(truth, fill, mask)
    assert mask.sum() > patches.MOST_PATCHES
    assert value("swd", of) == value("swd", of) > 0


@pytest.mark.parametrize("size", [(1, 1), (6, 40), (40, 6)])
def test_no_patch_fits_into_narrow_photos(size: tuple[int, int]) -> None:
    picture = np.zeros((*size, 3), np.uint8)
    assert METRICS["swd"].measure(Pair(picture, picture, np.ones(size, bool))) is None


# The rest


def test_pairs_refuse_what_does_not_fit() -> None:
    picture, mask = np.zeros((4, 5, 3), np.uint8), np.ones((4, 5), bool)
    with pytest.raises(ValueError, match="one size"):
        Pair(picture, picture[:3], mask)
    with pytest.raises(ValueError, match="uint8 output HW3, got float64"):
        Pair(picture, picture / 255, mask)
    with pytest.raises(ValueError, match="with a hole"):
        Pair(picture, picture, ~mask)


def test_every_metric_is_defined_in_the_documents() -> None:
    text = Path(__file__).parents[2].joinpath("docs/metrics.md").read_text("utf-8")
    for metric in METRICS.values():
        assert f"`{metric.name}`" in text
        assert metric.title in text
