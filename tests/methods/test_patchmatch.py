"""PatchMatch continues what surrounds a hole, the same way every time."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatefill import parallel
from gatefill.methods import composite
from gatefill.methods.base import Image, Mask
from gatefill.methods.patchmatch import PatchMatch, PatchMatchConfig, kernels, solver


def stripes(height: int = 64, width: int = 64) -> Image:
    """Vertical stripes, 4 of 8 pixels bright."""
    row = np.where(np.arange(width) % 8 < 4, 0.8, 0.1).astype(np.float32)
    return np.broadcast_to(row[None, :, None], (height, width, 3)).copy()


def tiles(height: int, width: int, side: int = 16, seed: int = 0) -> Image:
    """A random tile, repeated."""
    tile = np.random.default_rng(seed).random((side, side, 3), dtype=np.float32)
    return np.tile(tile, (height // side + 1, width // side + 1, 1))[:height, :width].copy()


def hole(height: int, width: int, top: int, left: int, bottom: int, right: int) -> Mask:
    mask = np.zeros((height, width), bool)
    mask[top:bottom, left:right] = True
    return mask


def spoiled(image: Image, mask: Mask, value: float = 0.5) -> Image:
    """The image with something in the hole that must not matter."""
    return np.where(mask[..., None], np.float32(value), image)


def error(image: Image, mask: Mask, **options: float) -> float:
    method = PatchMatch(PatchMatchConfig(**options))  # type: ignore[arg-type]
    return float(np.abs(method.fill(spoiled(image, mask), mask).image - image)[mask].mean())


@pytest.mark.parametrize(
    "mask",
    [
        hole(64, 64, 20, 20, 40, 44),
        hole(64, 64, 0, 0, 20, 20),  # in the corner
        hole(64, 64, 28, 0, 36, 64),  # from border to border
        hole(64, 64, 5, 5, 15, 20) | hole(64, 64, 40, 30, 60, 45),  # two holes
    ],
)
def test_stripes_go_on(mask: Mask) -> None:
    assert error(stripes(), mask) < 0.02


def test_a_repeated_tile_is_found_again() -> None:
    mask = hole(96, 112, 30, 40, 62, 76)
    assert error(tiles(96, 112), mask) < 0.01


def test_a_hole_larger_than_what_is_left() -> None:
    mask = ~hole(64, 64, 0, 0, 64, 24)
    filled = PatchMatch().fill(spoiled(stripes(), mask), mask).image
    assert np.abs(filled - stripes())[mask].mean() < 0.2, "material is there for most of it"


def test_what_stands_in_the_hole_does_not_matter() -> None:
    image, mask = tiles(48, 48), hole(48, 48, 12, 12, 30, 34)
    first = PatchMatch().fill(spoiled(image, mask, 0.0), mask).image
    second = PatchMatch().fill(spoiled(image, mask, 1.0), mask).image
    np.testing.assert_array_equal(first, second)


def test_the_same_for_any_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    # Nothing repeats, so that every match depends on those that were tried before it.
    image = np.random.default_rng(0).random((160, 130, 3), dtype=np.float32)
    mask = hole(160, 130, 30, 20, 120, 100)
    fills = []
    for threads in (1, 2, 5):  # more than cores are never taken otherwise
        monkeypatch.setattr(parallel, "cores", lambda threads=threads: threads)
        fills += [PatchMatch().fill(image, mask).image for _ in range(2)]
    for other in fills[1:]:
        np.testing.assert_array_equal(fills[0], other)


def test_another_seed_gives_another_fill() -> None:
    image = np.random.default_rng(0).random((60, 60, 3), dtype=np.float32)
    mask = hole(60, 60, 20, 20, 40, 40)
    fills = [PatchMatch(PatchMatchConfig(seed=seed)).fill(image, mask).image for seed in (1, 1, 2)]
    np.testing.assert_array_equal(fills[0], fills[1])
    assert (fills[0] != fills[2]).any()


@given(st.data())
def test_any_size_and_any_mask(data: st.DataObject) -> None:
    height, width = data.draw(st.integers(1, 24)), data.draw(st.integers(1, 24))
    chance = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    image = chance.random((height, width, 3), dtype=np.float32)
    mask = chance.random((height, width)) < data.draw(st.floats(0, 1))
    if mask.all() or not mask.any():
        if height * width == 1:
            return
        mask.flat[0] = not mask.flat[0]
    fill = PatchMatch(PatchMatchConfig(patch_size=data.draw(st.sampled_from([3, 7, 9])))).fill(
        image, mask
    )
    assert fill.image.dtype == np.float32
    assert fill.image.shape == image.shape
    assert np.isfinite(fill.image).all()
    assert fill.image.min() >= 0
    assert fill.image.max() <= 1
    whole = composite(fill.image, image, mask)
    np.testing.assert_array_equal(whole[~mask], image[~mask])
    assert fill.attention is not None
    assert mask[tuple(fill.attention.target.T)].all()
    assert not mask[tuple(fill.attention.source[:, 0].T)].any()


def test_search_says_where_material_may_come_from() -> None:
    image = np.random.default_rng(0).random((64, 96, 3), dtype=np.float32) * 0.2
    image[:, 48:] += 0.7  # dark on the left, bright on the right
    mask = hole(64, 96, 20, 10, 44, 34)
    search = hole(64, 96, 0, 56, 64, 96)
    config = PatchMatchConfig(finish=False)
    fill = PatchMatch(config).fill(image, mask, search=search)
    assert fill.attention is not None
    assert search[tuple(fill.attention.source[:, 0].T)].all()
    assert len(fill.attention.target) == mask.sum()
    assert fill.image[mask].mean() > 0.6, "it holds the bright material"
    assert PatchMatch(config).fill(image, mask).image[mask].mean() < 0.2


def test_attention_tells_the_copied_pixels() -> None:
    image, mask = tiles(64, 64), hole(64, 64, 24, 24, 40, 40)
    attention = PatchMatch().fill(spoiled(image, mask), mask).attention
    assert attention is not None
    apart = attention.source[:, 0] - attention.target
    assert (apart % 16 == 0).all(axis=1).mean() > 0.95, "copied a whole number of tiles away"


def test_a_sketch_moves_the_edge() -> None:
    """Dark above, bright below; the sketch bends the border inside the hole."""
    chance = np.random.default_rng(0)
    image = chance.random((96, 96, 3), dtype=np.float32) * 0.1
    steps = np.clip((np.arange(96) - 30) // 3 * 3, 0, 36) + 24  # the border falls to the right
    below = np.arange(96)[:, None] > steps[None]
    image[below] += 0.7
    mask = hole(96, 96, 14, 34, 76, 66)
    rows, columns = np.indices((96, 96))
    sketch = (rows == 26) & (columns < 60) | (columns == 60) & (rows > 26) & (rows < 60)
    plain = PatchMatch().fill(image, mask).image
    guided = PatchMatch(PatchMatchConfig(guide=4)).fill(image, mask, sketch).image
    assert np.abs(plain - guided)[mask].mean() > 0.02
    wanted = mask & (rows > 30) & (columns < 55)
    assert guided[wanted].mean() > plain[wanted].mean()


def test_a_guide_chooses_the_material() -> None:
    chance = np.random.default_rng(0)
    image = chance.random((64, 96, 3), dtype=np.float32) * 0.3
    image[:, :48] += 0.6
    mask = hole(64, 96, 20, 36, 44, 60)
    for bright in (True, False):
        guide = np.zeros((64, 96, 1), np.float32)
        guide[:, :48] = 1
        guide[mask] = float(bright)
        filled = PatchMatch(PatchMatchConfig(guide=10, finish=False)).fill(image, mask, guide=guide)
        assert (filled.image[22:42, 38:58].mean() > 0.5) == bright


def test_a_guide_that_is_gone_at_full_resolution_has_chosen_before() -> None:
    image = np.zeros((256, 384, 3), np.float32)
    image[:, 192:] = 0.7
    image += np.random.default_rng(3).random(image.shape, np.float32) * 0.3
    mask = hole(256, 384, 80, 130, 170, 254)  # as much in the dark half as in the bright one
    method = PatchMatch(PatchMatchConfig(guide=4))
    means = {}
    for bright in (0.0, 1.0):
        guide = np.zeros((256, 384, 1), np.float32)
        guide[:, 192:] = 1
        guide[mask] = bright
        for share in (1.0, 0.0):
            fill = method.fill(image, mask, guide=guide, guide_at_last=share).image
            means[bright, share] = fill[mask].mean()
    assert means[1.0, 0.0] > means[0.0, 0.0] + 0.2
    assert all(means[bright, 0.0] != means[bright, 1.0] for bright in (0.0, 1.0))
    with pytest.raises(ValueError, match=r"guide_at_last in 0\.\.1, got 2"):
        PatchMatch().fill(image, mask, guide=guide, guide_at_last=2.0)


def test_the_weight_of_a_guide_decides_against_color() -> None:
    chance = np.random.default_rng(0)
    image = chance.random((64, 128, 3), dtype=np.float32) * 0.2
    image[:, :72] += 0.6
    mask = hole(64, 128, 16, 16, 48, 56)  # in the bright part; the guide asks for the dark one
    guide = np.zeros((64, 128, 1), np.float32)
    guide[:, 72:] = 0.5
    guide[mask] = 0.5
    middle = {
        weight: PatchMatch(PatchMatchConfig(guide=weight, finish=False))
        .fill(image, mask, guide=guide)
        .image[26:38, 26:46]
        .mean()
        for weight in (0.1, 16)
    }
    assert middle[0.1] > 0.5 > middle[16]


def test_a_guess_is_where_it_starts() -> None:
    image = np.random.default_rng(3).random((64, 64, 3), dtype=np.float32)
    mask = hole(64, 64, 16, 16, 48, 48)
    guess = image.copy()
    plain = PatchMatch().fill(image, mask).image
    started = PatchMatch().fill(image, mask, guess=np.roll(guess, 20, axis=1)).image
    assert (plain != started).any()


@pytest.mark.parametrize("kind", ["tiles", "noise", "specks"])
def test_a_photo_prepared_ahead_is_filled_the_same(kind: str) -> None:
    size = height, width = 240, 320
    rng = np.random.default_rng(3)
    image = tiles(*size) if kind == "tiles" else rng.random((*size, 3), dtype=np.float32)
    mask = hole(*size, 80, 100, 120, 160)
    if kind == "specks":
        mask = np.zeros(size, bool)
        mask[30::60, 30::60] = True
    search = hole(*size, 0, 0, height, width - 40)
    guide = rng.random((*size, 1), dtype=np.float32)
    method = PatchMatch()
    prepared = method.prepare(image, mask, search=search)
    assert (prepared.atlas is not None) == (kind == "specks")
    options = {"search": search, "guess": image[::-1], "guide": guide}
    found = method.fill(image, mask, **options, prepared=prepared)
    np.testing.assert_array_equal(found.image, method.fill(image, mask, **options).image)
    assert (found.image != method.fill(image, mask, guess=image[::-1], guide=guide).image).any()


def test_progress_rises_to_one_and_can_stop_the_work() -> None:
    image, mask = tiles(64, 64), hole(64, 64, 20, 20, 40, 40)
    shares: list[float] = []
    PatchMatch().fill(image, mask, progress=shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1)

    class StopError(Exception):
        pass

    def stop(_: float) -> None:
        raise StopError

    with pytest.raises(StopError):
        PatchMatch().fill(image, mask, progress=stop)
    assert np.isfinite(PatchMatch().fill(image, mask).image).all(), "and it works again"


def test_wrong_arrays_are_named() -> None:
    image, mask = stripes(), hole(64, 64, 8, 8, 16, 16)
    with pytest.raises(ValueError, match="expected a mask with a hole, got an empty one"):
        PatchMatch().fill(image, np.zeros_like(mask))
    with pytest.raises(ValueError, match="covers the whole image"):
        PatchMatch().fill(image, np.ones_like(mask))
    with pytest.raises(
        ValueError, match=r"bool search region of size \(64, 64\), got bool \(8, 8\)"
    ):
        PatchMatch().fill(image, mask, search=np.ones((8, 8), bool))
    with pytest.raises(
        ValueError, match="expected some of the search region outside the hole, got none"
    ):
        PatchMatch().fill(image, mask, search=mask)
    with pytest.raises(ValueError, match="expected a float32 image HW3"):
        PatchMatch().fill(image[..., 0], mask)


def test_targets_are_visited_block_by_block() -> None:
    """Threads share blocks, so each block must come once and hold nothing of another one."""
    side = kernels.BLOCK
    targets = np.random.default_rng(0).random((3 * side + 5, 2 * side)) < 0.3
    targets[side : 2 * side, :side] = False
    ys, xs, starts = solver._blocks(targets)
    assert starts[0] == 0
    assert starts[-1] == len(ys) == np.count_nonzero(targets)
    seen = []
    for start, end in itertools.pairwise(starts.tolist()):
        (block,) = {*zip((ys[start:end] // side).tolist(), (xs[start:end] // side).tolist())}  # noqa: B905
        seen.append(block)
        places = ys[start:end].astype(int) * targets.shape[1] + xs[start:end]
        assert (np.diff(places) > 0).all(), "in scan order, each once"
    assert seen == [*sorted({*seen})]
    assert len(seen) == 4 * 2 - 1
    assert targets[ys, xs].all()
