"""Edges that end at a hole go on into it, and what ends there does not."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from gatefill.methods import METHODS, Fill, steered_by
from gatefill.methods.base import Image, Mask
from gatefill.methods.extrapolation import extrapolate
from gatefill.methods.hybrid import HybridConfig
from gatefill.methods.patchmatch import PatchMatch, PatchMatchConfig

SEEDS = (0, 1, 2)


SKY, HILLS, LAKE, SAND = (0.75, 0.8, 0.9), (0.3, 0.4, 0.3), (0.45, 0.55, 0.6), (0.7, 0.65, 0.5)


def layers(height: int, width: int, rise: float, *bands: tuple[float, tuple[float, ...]]) -> Image:
    """Sky, and below it each color from a share of the height on.

    The lines between them rise by so many pixels per pixel.
    """
    y, x = np.mgrid[:height, :width]
    image = np.broadcast_to(np.array(SKY), (height, width, 3))
    for share, color in bands:
        below = np.clip(y + rise * (x - width / 2) - height * share + 0.5, 0, 1)[..., None]
        image = image * (1 - below) + np.array(color) * below
    return image.astype(np.float32)


def edge(height: int, width: int, rise: float = 0.0) -> Image:
    return layers(height, width, rise, (0.55, HILLS))


def lake() -> Image:
    """A lake between hills and sand, with grain, rising a little to the right."""
    image = layers(240, 320, 0.15, (0.42, HILLS), (0.5, LAKE), (0.72, SAND))
    grain = cv2.GaussianBlur(np.random.default_rng(3).normal(0, 0.03, (240, 320)), (0, 0), 0.8)
    return np.clip(image + grain[..., None], 0, 1).astype(np.float32)


def box(height: int, width: int, top: int, left: int, bottom: int, right: int) -> Mask:
    mask = np.zeros((height, width), bool)
    mask[top:bottom, left:right] = True
    return mask


def blanked(image: Image, mask: Mask) -> Image:
    return np.where(mask[..., None], np.float32(0.5), image)


@pytest.mark.parametrize("rise", [-0.7, 0.0, 0.3])
def test_an_edge_goes_straight_on_to_the_border(rise: float) -> None:
    image, mask = edge(60, 90, rise), box(60, 90, 10, 64, 50, 90)
    found = extrapolate(blanked(image, mask), ~mask, mask)
    beside_the_edge = np.abs(np.diff(image.mean(axis=2), axis=0, prepend=0)) < 0.01
    beside_the_edge = cv2.erode(beside_the_edge.astype(np.uint8), np.ones((7, 7))) > 0
    np.testing.assert_allclose(
        found.colors[mask & beside_the_edge], image[mask & beside_the_edge], atol=0.03
    )
    assert found.trust[mask & beside_the_edge].mean() > 0.8


def test_what_is_known_stays_and_is_not_judged() -> None:
    image, mask = edge(40, 60), box(40, 60, 5, 40, 35, 60)
    found = extrapolate(image, ~mask, mask)
    assert np.array_equal(found.colors[~mask], image[~mask])
    assert not found.trust[~mask].any()


def test_what_has_no_direction_is_not_trusted() -> None:
    image = np.random.default_rng(0).random((60, 60, 3), dtype=np.float32)
    mask = box(60, 60, 20, 40, 40, 60)
    assert extrapolate(image, ~mask, mask).trust.max() < 0.5


def test_two_ends_that_differ_are_not_trusted() -> None:
    image = edge(60, 90)
    image[:, 45:] = image[::-1, 45:]
    mask = box(60, 90, 10, 30, 50, 60)
    trust = extrapolate(image, ~mask, mask).trust
    assert trust[30, 40:50].max() < 0.3
    assert extrapolate(edge(60, 90), ~mask, mask).trust[mask].mean() > 0.8


def test_where_a_line_meets_nothing_known_the_picture_stays() -> None:
    image = np.ascontiguousarray(edge(60, 90).transpose(1, 0, 2))
    hole = box(90, 60, 0, 40, 90, 60)  # the edge runs down, beside it
    known = box(90, 60, 0, 0, 90, 38)
    found = extrapolate(image, known, hole)
    assert not found.trust.any()
    assert np.array_equal(found.colors, image)


@pytest.mark.parametrize("hole", ["nothing", "all"])
def test_nothing_to_do_and_nothing_to_go_by(hole: str) -> None:
    mask = np.full((8, 9), hole == "all")
    image = np.full((8, 9, 3), 0.5, np.float32)
    assert not extrapolate(image, ~mask, mask).trust.any()


def fill_error(image: Image, mask: Mask, edges: bool, seed: int) -> float:
    method = PatchMatch(PatchMatchConfig(edges=edges, seed=seed))
    return float(np.abs(method.fill(blanked(image, mask), mask).image - image)[mask].mean())


def test_patchmatch_lets_a_shore_go_on_behind_a_person_at_the_border() -> None:
    image, mask = lake(), box(240, 320, 60, 220, 200, 320)
    assert max(fill_error(image, mask, True, seed) for seed in SEEDS) < 0.03
    assert min(fill_error(image, mask, False, seed) for seed in SEEDS) > 0.06


class Smudge:
    """A network that paints the mean of what it sees."""

    info = replace(METHODS["deepfill_v2"], name="smudge")

    def fill(self, image, mask, sketch=None, progress=None, *, search=None):
        assert sketch is progress is search is None
        return Fill(np.broadcast_to(image[~mask].mean(axis=0), image.shape).astype(np.float32))


def test_hybrid_lets_a_shore_go_on_where_its_network_paints_a_smudge() -> None:
    image, mask = lake(), box(240, 320, 60, 220, 200, 320)
    errors = {}
    for edges in (True, False):
        config = HybridConfig()
        config = replace(config, patchmatch=replace(config.patchmatch, edges=edges))
        found = steered_by(Smudge(), config).fill(blanked(image, mask), mask)
        errors[edges] = float(np.abs(found.image - image)[mask].mean())
    assert errors[True] < 0.03, errors
    assert errors[False] > 0.04, errors


class Foreseen:
    """A network that knows the photo, but not its detail."""

    info = replace(METHODS["deepfill_v2"], name="foreseen")

    def __init__(self, image: Image) -> None:
        self.image = image

    def fill(self, image, mask, sketch=None, progress=None, *, search=None):
        assert image.shape[:2] == mask.shape
        assert sketch is progress is search is None
        height, width = mask.shape
        small = cv2.resize(self.image, (width, height), interpolation=cv2.INTER_AREA)
        return Fill(np.asarray(cv2.GaussianBlur(small, (0, 0), 3), np.float32))


@pytest.mark.parametrize("seed", [0, 1, 3])
def test_hybrid_lets_no_sea_rise_into_a_hole_in_the_sky_above_it(seed: int) -> None:
    """The hole ends at the horizon: at coarse levels, the sea is all that is known there."""
    chance = np.random.default_rng(seed)
    clouds = cv2.GaussianBlur(chance.normal(0, 1.2, (240, 320)), (0, 0), 12) * 0.5
    waves = cv2.GaussianBlur(chance.normal(0, 0.25, (240, 320)), (0, 0), sigmaX=3, sigmaY=0.8)
    grain = np.where(np.arange(240)[:, None] < 144, clouds, waves)[..., None]
    image = np.clip(layers(240, 320, 0.0, (0.6, LAKE)) + grain, 0, 1).astype(np.float32)
    mask = box(240, 320, 70, 90, 144, 240)
    found = steered_by(Foreseen(image), HybridConfig()).fill(blanked(image, mask), mask).image
    gray = cv2.GaussianBlur(found.mean(axis=2), (0, 0), 1.5)
    assert (gray[mask] < 0.66).mean() < 0.02  # halfway between sky and sea
