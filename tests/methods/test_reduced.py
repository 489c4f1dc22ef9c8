"""A large hole is filled at a reduced size, with the detail of where it was copied from."""

from __future__ import annotations

import time

import numpy as np
import pytest

from gatefill.methods.base import Attention, Fill, Image, Mask
from gatefill.methods.patchmatch import PatchMatch, reduced
from gatefill.methods.patchmatch.reduced import fill_reduced, halvings

HEIGHT, WIDTH = 150, 201  # odd: the last small column covers one pixel


@pytest.fixture(autouse=True)
def small_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reduced, "LARGEST_HOLE", 1000)


def grain(seed: int = 0) -> Image:
    """Two materials of the same fine grain: dark above, bright below."""
    image = np.random.default_rng(seed).normal(0, 0.06, (HEIGHT, WIDTH, 3)).astype(np.float32)
    image[:75] += 0.35
    image[75:] += 0.65
    return np.clip(image, 0, 1)


def box() -> Mask:
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[45:105, 60:140] = True
    return mask


def detail(image: Image) -> float:
    return float(np.abs(np.diff(image, axis=1)).mean())


def test_the_hole_decides_how_often_the_photo_is_halved() -> None:
    mask = np.zeros((400, 400), bool)
    mask[:10, :100] = True
    assert halvings(mask.size, int(mask.sum())) == 0
    mask[10, 0] = True
    assert halvings(mask.size, int(mask.sum())) == 1
    mask[:, :] = True
    assert halvings(mask.size, int(mask.sum())) == 4


def test_structure_and_grain_are_those_of_the_photo() -> None:
    image, mask = grain(), box()
    fill = PatchMatch().fill(np.where(mask[..., None], np.float32(0), image), mask)
    filled = fill.image
    np.testing.assert_array_equal(filled[~mask], image[~mask])
    inner = slice(66, 134)
    assert abs(float(filled[50:70, inner].mean()) - 0.35) < 0.03
    assert abs(float(filled[80:100, inner].mean()) - 0.65) < 0.03
    for rows in (slice(50, 70), slice(80, 100)):
        assert detail(filled[rows, inner]) == pytest.approx(detail(image[rows, inner]), rel=0.15)


def test_attention_is_in_cells_of_the_reduced_size() -> None:
    image, mask = grain(), box()
    attention = PatchMatch().fill(image, mask).attention
    assert attention is not None
    assert attention.stride == 4
    assert len(attention.target) >= mask.sum() / 16
    assert (attention.source >= 0).all()
    assert (attention.source[:, 0] < (HEIGHT, WIDTH)).all()


def test_it_is_the_same_every_time_and_what_stands_in_the_hole_does_not_matter() -> None:
    image, mask = grain(), box()
    fills = [
        PatchMatch().fill(np.where(mask[..., None], np.float32(value), image), mask).image
        for value in (0.0, 0.5, 1.0)
    ]
    np.testing.assert_array_equal(fills[0], fills[1])
    np.testing.assert_array_equal(fills[0], fills[2])


def test_material_comes_from_the_search_region_only() -> None:
    image, mask = grain(), box()
    search = np.zeros_like(mask)
    search[110:] = True
    filled = PatchMatch().fill(image, mask, search=search).image
    assert filled[50:70, 66:134].mean() > 0.5, "bright, as all of the region is"


def test_a_region_that_is_gone_at_the_reduced_size_is_used_at_its_own() -> None:
    image, mask = grain(), box()
    search = np.zeros_like(mask)
    search[1, 1] = True
    fill = PatchMatch().fill(image, mask, search=search)
    assert fill.attention is not None
    assert (fill.attention.source == 1).all()


def test_detail_comes_from_known_pixels_only() -> None:
    """A source that is no whole cell away from the hole would bring the hole's own pixels."""
    image, mask = grain(), box()
    image[mask] = 1000  # would be seen

    def fill(small: Image, hole: Mask, *_: object) -> Fill:
        target = np.argwhere(hole).astype(np.int32)
        source = (target + np.array([1, 0], np.int32))[:, None]  # mostly in the hole
        frame = np.where(hole[..., None], np.float32(0.5), small).astype(np.float32)
        weight = np.ones((len(target), 1), np.float32)
        return Fill(frame, attention=Attention(target, source, weight, 1))

    filled = fill_reduced(fill, image, mask).image
    assert np.abs(filled[60:90, 80:120] - 0.5).max() < 1e-6


def test_progress_rises_to_one_and_stops_the_work_soon() -> None:
    image, mask = grain(), box()
    shares: list[float] = []
    PatchMatch().fill(image, mask, progress=shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1)

    class StopError(Exception):
        pass

    for calls in (1, len(shares) // 2, len(shares) - 1):
        left = [calls]

        def stop(_: float, left: list[int] = left) -> None:
            left[0] -= 1
            if not left[0]:
                raise StopError

        with pytest.raises(StopError):
            PatchMatch().fill(image, mask, progress=stop)
        assert left[0] == 0, "it was not called again"


def test_progress_is_called_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reduced, "LARGEST_HOLE", 400_000)
    image = np.random.default_rng(0).random((600, 800, 3), dtype=np.float32)
    mask = np.zeros((600, 800), bool)
    mask[100:500, 100:600] = True
    PatchMatch().fill(image[:100, :100], mask[50:150, 50:150])  # compiles
    times = [time.thread_time()]
    PatchMatch().fill(image, mask, progress=lambda _: times.append(time.thread_time()))
    assert len(times) > 100
    assert np.diff(times).max() < 0.3, "seconds of this thread's own work"


def test_a_thin_line_and_the_region_are_given_along_reduced() -> None:
    given: list[tuple[Mask, Mask | None, Mask | None]] = []

    def fill(image, mask, sketch, progress, search):  # type: ignore[no-untyped-def]
        given.append((mask, sketch, search))
        return PatchMatch().fill(image, mask, search=search, progress=progress)

    mask = box()
    sketch, search = np.zeros((2, *mask.shape), bool)
    sketch[:, 50] = True  # one pixel wide
    search[:, :40] = True
    fill_reduced(fill, grain(), mask, sketch, None, search)
    (hole, line, region) = given[0]
    times = 2 ** halvings(mask.size, int(mask.sum()))
    assert times > 1
    assert hole.shape == tuple(-(-side // times) for side in mask.shape)
    assert line is not None
    assert region is not None
    columns = np.flatnonzero(line.any(axis=0))
    assert columns.min() >= 50 // times - 1
    assert columns.max() <= 50 // times + 1
    assert line[:, 50 // times].all()
    np.testing.assert_array_equal(region, np.indices(hole.shape)[1] < 40 // times)


def test_a_region_that_lies_in_the_hole_alone_is_no_material_to_reduce() -> None:
    sizes: list[tuple[int, ...]] = []

    def fill(image, mask, sketch, progress, search):  # type: ignore[no-untyped-def]  # noqa: ARG001
        sizes.append(mask.shape)
        return Fill(image)

    mask = box()
    fill_reduced(fill, grain(), mask, None, None, mask.copy())
    assert sizes == [mask.shape]
