"""The inner loops of PatchMatch, each on places where it is known what it has to find."""

from __future__ import annotations

import numpy as np
import pytest

from gatefill.methods.base import Mask
from gatefill.methods.patchmatch import kernels, solver
from gatefill.methods.patchmatch.distance import MARGIN

SIDE = 100
AWAY = (10, 30)  # where the right source of every target lies


def places(targets: Mask, seed: int = 0) -> kernels.Patches:
    """Patches of one pixel with random features; what is `AWAY` from the targets equals them."""
    features = np.random.default_rng(seed).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    ys, xs, _ = solver._blocks(targets)
    features[ys + AWAY[0], xs + AWAY[1]] = features[ys, xs]
    penalty = np.zeros((SIDE, SIDE), np.int32)
    return kernels.Patches(flat(features), (3 * SIDE, 3, 1), ys, xs, penalty)


def flat(features: np.ndarray) -> np.ndarray:
    """Features as patches have them, with room behind the last one."""
    return np.pad(features.ravel(), (0, MARGIN))


def matched(patches: kernels.Patches, y: int, x: int) -> kernels.Field:
    """A field in which all targets have the same source."""
    field = kernels.Field(*(np.full((SIDE, SIDE), each, np.int32) for each in (y, x, 0)))
    kernels.measure(0, patches.ys.size, patches, field)
    return field


def sweep(
    patches: kernels.Patches, field: kernels.Field, targets: Mask, forward: bool, **options: int
) -> None:
    starts = solver._blocks(targets)[2]
    old = field.y.copy(), field.x.copy()
    given = {"radius": 0, "seed": 0} | options
    kernels.sweep(
        0, starts.size - 1, patches, field, *old, targets, starts, forward, *given.values()
    )


@pytest.mark.parametrize("forward", [True, False])
@pytest.mark.parametrize("down", [True, False])
def test_a_good_match_runs_through_its_block_at_once_and_on_into_the_next(
    down: bool, forward: bool
) -> None:
    targets = np.zeros((SIDE, SIDE), bool)
    line = np.s_[20:60, 40] if down else np.s_[40, 20:60]  # in two blocks, 20 to 31 and the rest
    targets[line] = True
    patches = places(targets)
    field = matched(patches, 90, 20)
    ys, xs = np.nonzero(targets)
    end = 0 if forward else -1
    field.y[ys[end], xs[end]] = ys[end] + AWAY[0]
    field.x[ys[end], xs[end]] = xs[end] + AWAY[1]
    kernels.measure(0, patches.ys.size, patches, field)

    def right() -> list[bool]:
        there = (field.y[ys, xs] == ys + AWAY[0]) & (field.x[ys, xs] == xs + AWAY[1])
        assert ((field.cost[ys, xs] == 0) == there).all()
        return there.tolist()

    first = np.arange(20, 60) < kernels.BLOCK
    sweep(patches, field, targets, forward)
    assert right() == (first if forward else ~first).tolist()
    sweep(patches, field, targets, forward)
    assert all(right())
    sweep(patches, field, targets, not forward)
    assert all(right()), "nothing is lost on the way back"


@pytest.mark.parametrize("far", [(2, 0), (-2, 0), (0, 2), (0, -2), (2, 2), (-2, -2)])
def test_the_search_reaches_as_far_as_its_radius_on_all_sides_and_no_farther(
    far: tuple[int, int],
) -> None:
    targets = np.zeros((SIDE, SIDE), bool)
    targets[70, 60] = True
    around = 22, 38
    for reach, reachable in ((1, True), (1.5, False)):
        source = tuple(round(each + reach * step) for each, step in zip(around, far, strict=True))
        features = np.full((SIDE, SIDE, 1), 200, np.uint8)
        features[70, 60] = features[source] = 10
        patches = places(targets)._replace(features=flat(features), shape=(SIDE, 1, 1))
        found = 0
        for seed in range(200):
            field = matched(patches, *around)
            sweep(patches, field, targets, True, radius=2, seed=seed)
            found += (field.y[70, 60], field.x[70, 60]) == source
        assert (found > 2) == reachable


def test_random_numbers_are_marsaglias() -> None:
    state, found = np.uint32(1), []
    for _ in range(5):
        state = kernels._next.function(state)
        found.append(int(state))
    assert found == [270369, 67634689, 2647435461, 307599695, 2398689233]


def test_targets_get_the_best_of_the_sources_at_hand() -> None:
    targets = np.zeros((SIDE, SIDE), bool)
    targets[40:44, 40:44] = True
    patches = places(targets)
    ys, xs = patches.ys, patches.xs
    right = ys + AWAY[0], xs + AWAY[1]
    field = matched(patches, 90, 20)
    source_y, source_x = (np.append(axis, [3, 95]).astype(np.int32) for axis in right)
    kernels.scatter(0, ys.size, patches, field, source_y, source_x, 400, 1)
    assert (field.y[ys, xs] == right[0]).all()
    assert (field.cost[ys, xs] == 0).all()

    # The same by offsets, of which some lead out of the photo.
    field = matched(patches, 90, 20)
    offsets = np.array([(3, -2), (-60, 0), (0, 70), AWAY, (5, 5)], np.int32).T.copy()
    kernels.try_offsets(0, ys.size, patches, field, *offsets)
    assert (field.x[ys, xs] == right[1]).all()
    assert (field.cost[ys, xs] == 0).all()

    # What a source costs by itself counts as well.
    patches.penalty[right] = 2**29
    kernels.scatter(0, ys.size, patches, field, source_y, source_x, 400, 1)
    assert set(field.y[ys, xs].tolist()) <= {3, 95}
