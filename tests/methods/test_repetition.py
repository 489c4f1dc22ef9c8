"""What repeats around a hole is found, and goes on through it exactly."""

from __future__ import annotations

import numpy as np
import pytest

from gatefill.methods.base import Image, Mask
from gatefill.methods.patchmatch import PatchMatch, PatchMatchConfig, repetition
from gatefill.methods.patchmatch.repetition import find_repetition

HEIGHT, WIDTH = 120, 160
NOISE = 0.01


def noise(seed: int = 0) -> Image:
    return np.random.default_rng(seed).normal(0, NOISE, (HEIGHT, WIDTH, 3)).astype(np.float32)


def pinstripe() -> Image:
    rows, columns = np.indices((HEIGHT, WIDTH))
    return (
        np.where((columns + rows // 3) % 6 < 3, 0.85, 0.15).astype(np.float32)[..., None] + noise()
    )


def dots() -> Image:
    rows, columns = np.indices((HEIGHT, WIDTH))
    shifted = columns + rows // 8 % 2 * 4
    inside = (rows % 8 - 3.5) ** 2 + (shifted % 8 - 3.5) ** 2 < 7
    return np.where(inside, 0.15, 0.9).astype(np.float32)[..., None] + noise()


def bricks() -> Image:
    rows, columns = np.indices((HEIGHT, WIDTH))
    shifted = columns + rows // 12 % 2 * 12
    mortar = (rows % 12 < 2) | (shifted % 24 < 2)
    tint = np.random.default_rng(1).normal(0.45, 0.02, (HEIGHT, WIDTH))[rows // 12, shifted // 24]
    return np.where(mortar, 0.85, tint).astype(np.float32)[..., None] + noise()


def box(top: int = 40, left: int = 50, bottom: int = 84, right: int = 110) -> Mask:
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[top:bottom, left:right] = True
    return mask


def error(image: Image, mask: Mask, **options: float) -> float:
    method = PatchMatch(PatchMatchConfig(**options))  # type: ignore[arg-type]
    blank = np.where(mask[..., None], np.float32(0), image)
    return float(np.abs(method.fill(blank, mask).image - image)[mask].mean())


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("pattern", "most"), [(pinstripe, 0.013), (dots, 0.013), (bricks, 0.023)])
def test_a_pattern_goes_on_with_the_right_phase_for_every_seed(pattern, most, seed) -> None:
    # Copies differ from the truth by the noise of both: 0.011, and by the tints of bricks.
    assert error(pattern(), box(20, 30, 100, 130), seed=seed) < most


@pytest.mark.parametrize("patch_size", [5, 7])
def test_for_every_size_of_patches(patch_size: int) -> None:
    assert error(dots(), box(20, 30, 100, 130), patch_size=patch_size) < 0.013


def test_without_repeats_it_is_luck() -> None:
    assert error(pinstripe(), box(20, 30, 100, 130), repeats=False) > 0.05


def test_a_hole_at_the_border_deeper_than_what_is_known_beside_it() -> None:
    mask = box(0, 40, HEIGHT, WIDTH)  # 40 columns are left, 120 are missing
    image = dots()
    found = find_repetition(image, ~mask, mask)
    assert found is not None
    assert found.predicted[mask].mean() > 0.95, "what is out of reach repeats what was predicted"
    assert np.abs(found.copied(image) - image)[found.predicted].mean() < 0.013


def test_the_offsets_are_whole_periods() -> None:
    mask = box()
    found = find_repetition(dots(), ~mask, mask)
    assert found is not None
    down, right = found.offsets.T
    assert (down % 8 == 0).all()
    np.testing.assert_array_equal((right + down // 8 % 2 * 4) % 8, 0)


def test_sources_are_known_material() -> None:
    mask, image = box(), bricks()
    material = ~mask
    material[:, :50] = False  # a region to search in, right of the hole
    found = find_repetition(image, material, mask)
    assert found is not None
    assert material[found.sources].all()
    assert mask[found.targets].all()
    assert found.predicted[mask].mean() > 0.9


def smooth_noise() -> Image:
    grain = np.random.default_rng(2).random((HEIGHT // 4, WIDTH // 4, 3), dtype=np.float32)
    return np.repeat(np.repeat(grain, 4, axis=0), 4, axis=1)


def edge() -> Image:
    """Dark on the left, bright on the right: alike all along the edge, yet nothing repeats."""
    image = np.full((HEIGHT, WIDTH, 3), 0.2, np.float32)
    image[:, WIDTH // 2 :] = 0.8
    return image + noise()


def sky() -> Image:
    return (
        np.broadcast_to(np.linspace(0.3, 0.8, HEIGHT)[:, None, None], (HEIGHT, WIDTH, 3)) + noise()
    )


@pytest.mark.parametrize("picture", [smooth_noise, edge, sky])
def test_nothing_repeats_where_nothing_does(picture) -> None:
    mask = box()
    assert find_repetition(picture().astype(np.float32), ~mask, mask) is None
    unchanged = [
        error(picture().astype(np.float32), mask, repeats=value) for value in (False, True)
    ]
    assert unchanged[0] == unchanged[1]


def test_half_a_wall_is_predicted_and_the_sky_beside_it_is_not() -> None:
    image = bricks()
    image[:60] = (sky() * 0.1 + 0.5)[:60]
    mask = box(30, 50, 90, 110)
    found = find_repetition(image, ~mask, mask)
    assert found is not None
    assert found.predicted[76:90][mask[76:90]].mean() > 0.9
    assert found.predicted[30:44][mask[30:44]].mean() < 0.1


def test_offsets_found_at_half_the_size_are_refined() -> None:
    rows, columns = np.indices((2 * HEIGHT, 2 * WIDTH))
    period = 37  # odd: half of it lies between two pixels
    image = np.where((rows % period < 17) ^ (columns % period < 17), 0.9, 0.2)[..., None]
    image = (image + np.zeros(3)).astype(np.float32)
    mask = np.zeros(image.shape[:2], bool)
    mask[90:160, 110:200] = True
    small, hole = image[::2, ::2], mask[::2, ::2]
    found = find_repetition(small, ~hole, hole)
    assert found is not None
    larger = found.finer(image, ~mask, mask)
    assert larger.predicted[mask].mean() > 0.9
    assert np.abs(larger.copied(image) - image)[larger.predicted].mean() < 0.02


def test_a_finer_level_chooses_place_by_place_as_the_coarser_did() -> None:
    hole = np.zeros((49, 63), bool)  # the smaller size is rounded up
    hole[10:49, 12:63] = True
    choice = np.full((25, 32), -1, np.int16)
    choice[5:, 6:] = np.random.default_rng(0).integers(0, 3, (20, 26))
    coarse = repetition.Repetition(np.array([[0, -6], [-5, 0], [-5, -6]], np.int32), choice, (), ())
    plain = np.full((49, 63, 3), 0.5, np.float32)
    found = coarse.finer(plain, ~hole, hole)
    ys, xs = np.nonzero(hole)
    np.testing.assert_array_equal(found.choice[hole], choice[ys // 2, xs // 2])
    assert (found.choice[~hole] == -1).all()


def test_a_period_longer_than_the_quick_look_is_found_at_half_the_size() -> None:
    tile = np.random.default_rng(3).random((40, 45, 3), dtype=np.float32)
    tile = tile.repeat(2, axis=0).repeat(2, axis=1)  # 80 x 90
    image = np.tile(tile, (4, 4, 1))
    mask = np.zeros(image.shape[:2], bool)
    mask[100:180, 110:200] = True
    known = ~mask
    known[:, :100] &= np.random.default_rng(4).random((320, 100)) < 0.9  # dust
    found = find_repetition(image, known, mask)
    assert found is not None
    down, right = np.abs(found.offsets.T)
    assert (down % 80 == 0).all()
    assert (right % 90 == 0).all()
    np.testing.assert_array_equal(found.copied(image)[found.predicted], image[found.predicted])


def test_a_guide_yields_to_what_repeats_only_if_it_is_said_to() -> None:
    image, mask = dots(), box()
    image[:, 130:] = 0.5 + noise()[:, 130:]
    guide = image.copy()
    guide[mask] = 0.5  # asks for the plain part
    method = PatchMatch(PatchMatchConfig(guide=16))
    blank = np.where(mask[..., None], np.float32(0), image)
    fills = {
        yields: method.fill(blank, mask, guide=guide, guide_yields=yields).image[mask]
        for yields in (True, False)
    }
    assert np.abs(fills[True] - image[mask]).mean() < 0.015
    assert np.abs(fills[False] - image[mask]).mean() > 0.1
    unsaid = method.fill(blank, mask, guide=guide).image[mask]
    np.testing.assert_array_equal(unsaid, fills[False])


def test_a_sketch_does_not_yield() -> None:
    image, mask = bricks(), box()
    sketch = np.zeros_like(mask)
    sketch[62, 50:110] = True
    blank = np.where(mask[..., None], np.float32(0), image)
    plain = PatchMatch().fill(blank, mask).image
    drawn = PatchMatch(PatchMatchConfig(guide=8)).fill(blank, mask, sketch).image
    assert np.abs(drawn - plain)[mask].mean() > 0.01


@pytest.mark.parametrize(("shape", "rows", "columns"), [((9, 14), 9, 14), ((14, 9), 5, 3)])
def test_correlations_are_sums_over_all_pairs(
    shape: tuple[int, int], rows: int, columns: int
) -> None:
    dice = np.random.default_rng(0)
    first, second = dice.random((2, *shape), dtype=np.float32)
    padded = (shape[0] + rows - 1, shape[1] + columns - 1)
    spectra = [repetition._spectrum(plane, padded) for plane in (first, second)]
    found = repetition._correlation(repetition._product(*spectra), rows, columns)
    assert found.shape == (rows, 2 * columns - 1)
    for down in range(rows):
        for right in range(1 - columns, columns):
            left, end = max(-right, 0), min(shape[1] - right, shape[1])
            here = first[: shape[0] - down, left:end]
            there = second[down:, left + right : end + right]
            expected = float((here * there).sum())
            assert found[down, right + columns - 1] == pytest.approx(expected, abs=1e-4)


def test_choices_are_followed_to_known_pixels_or_dropped() -> None:
    known = np.ones((1, 12), bool)
    known[0, 3:9] = False
    choice = np.full((1, 12), -1, np.int16)
    choice[0, 3:7] = [0, 0, 1, 0]  # two to the left, from 6 by way of 4; 5 leaves the photo
    choice[0, 7] = 2  # to 8, which is neither known nor predicted
    offsets = np.array([[0, -2], [0, -6], [0, 1]], np.int32)
    found = repetition._followed(offsets, choice, known)
    assert found.targets[1].tolist() == [3, 4, 6]
    assert found.sources[1].tolist() == [1, 2, 2]


@pytest.mark.parametrize("across", [False, True])
@pytest.mark.parametrize("mirrored", [False, True])
def test_a_choice_that_leaves_the_photo_by_one_pixel_is_dropped(
    across: bool, mirrored: bool
) -> None:
    """It must not go on at the opposite side, where numpy's index -1 leads."""
    known, choice = np.ones((8, 8), bool), np.full((8, 8), -1, np.int16)
    choice[0, 3], choice[5, 3] = 0, 2  # out at the top, and to a known pixel
    choice[7, 3] = 1  # from there it would come back to a known pixel
    known[choice >= 0] = False
    offsets = np.array([[-1, 0], [4, 0], [-2, 0]], np.int32)
    if mirrored:
        known, choice, offsets = known[::-1], choice[::-1], -offsets
    if across:
        known, choice, offsets = known.T, choice.T, offsets[:, ::-1]
    found = repetition._followed(*map(np.ascontiguousarray, (offsets, choice, known)))
    (target,) = np.argwhere(choice == 2)
    assert np.stack(found.targets, axis=1).tolist() == [target.tolist()]
    assert np.stack(found.sources, axis=1).tolist() == [(target + offsets[2]).tolist()]


def test_a_turned_picture_has_the_turned_detail_and_offsets() -> None:
    dice = np.random.default_rng(0)
    gray, known = dice.random((61, 90), dtype=np.float32), dice.random((61, 90)) < 0.8
    turned = repetition._detail(np.ascontiguousarray(gray.T), np.ascontiguousarray(known.T))
    np.testing.assert_allclose(repetition._detail(gray, known), turned.T, atol=1e-4)

    tile = dice.random((18, 26, 3), dtype=np.float32)
    image = np.tile(tile, (5, 4, 1))
    mask = np.zeros(image.shape[:2], bool)
    mask[30:50, 40:66] = True
    found = find_repetition(image, ~mask, mask)
    across = find_repetition(np.ascontiguousarray(image.swapaxes(0, 1)), ~mask.T, mask.T)
    assert found is not None
    assert across is not None
    offsets = {tuple(each) for each in found.offsets.tolist()}
    assert offsets == {(right, down) for down, right in across.offsets.tolist()}
    assert all(down % 18 == 0 and right % 26 == 0 for down, right in offsets)


@pytest.mark.parametrize("size", [(60, 2), (9, 1), (1, 9), (2, 2), (3, 5)])
def test_narrow_photos_do_not_repeat(size: tuple[int, int]) -> None:
    image = np.random.default_rng(1).random((*size, 3), dtype=np.float32)
    hole = np.zeros(size, bool)
    hole.flat[0] = True
    assert find_repetition(image, ~hole, hole) is None
