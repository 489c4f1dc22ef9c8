"""Attention for some cells, in tiles, against the whole frame's."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gatefill.geometry import Box
from gatefill.layers.contextual_attention import ContextualAttention
from gatefill.runtime import attention as module
from gatefill.runtime import pasting, scores
from gatefill.runtime.attention import CellAttention
from gatefill.runtime.scores import tiles


def example(height, width, seed, gain=1.0, holes=0.005):
    dice = torch.Generator().manual_seed(seed)
    features = gain * torch.randn(1, 3, 2 * height, 2 * width, generator=dice)
    mask = (torch.rand(1, 1, 8 * height, 8 * width, generator=dice) < holes).float()
    return features, mask


@st.composite
def boxes(draw, height, width):
    top, bottom = sorted(
        draw(st.lists(st.integers(0, height), min_size=2, max_size=2, unique=True))
    )
    left, right = sorted(draw(st.lists(st.integers(0, width), min_size=2, max_size=2, unique=True)))
    return Box(top, left, bottom, right)


@given(st.data())
def test_any_box_in_any_tiles_is_the_whole_frames(data):
    height, width = data.draw(st.integers(1, 10)), data.draw(st.integers(1, 8))
    box = data.draw(boxes(height, width))
    gain = data.draw(st.sampled_from([0.01, 0.3, 1.0]))  # flat attention, and sharp
    features, mask = example(height, width, data.draw(st.integers(0, 2**16)), gain)
    fuse, exclude, even = (data.draw(st.booleans()) for _ in range(3))
    layer = ContextualAttention(fuse=fuse, exclude=exclude, even=even)
    tile = data.draw(st.tuples(st.integers(1, 8), st.integers(1, 8)))
    chunk = data.draw(st.sampled_from([1, 2, 3, 32]))
    few = data.draw(st.sampled_from([0.0, 1.0]))  # added one by one, or all in a product
    least = data.draw(st.sampled_from([0, 2**30]))  # by the kernel, or by tensor operations
    threads = data.draw(st.sampled_from([1, 3]))

    wanted = layer(features, mask)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "LARGEST_CHUNK", chunk)
        patch.setattr(module, "FEW", few)
        patch.setattr(module, "TILE", data.draw(st.sampled_from([1, 2**21])))
        patch.setattr(scores, "LEAST", least)
        patch.setattr(scores, "STRIP", data.draw(st.integers(1, 8)))
        patch.setattr(torch, "get_num_threads", lambda: threads)
        patch.setattr(pasting, "PASTED", data.draw(st.sampled_from([5, 4096])))
        patch.setattr(CellAttention, "_tiles", lambda _, __, background: tiles(background, *tile))
        found = CellAttention(layer, features, mask, 2**30)(box, 2)
    rows, columns = box.slices
    wide = Box(2 * box.top, 2 * box.left, 2 * box.bottom, 2 * box.right).slices
    close = {"atol": 2e-5, "rtol": 1e-4}
    torch.testing.assert_close(found.features, wanted.features[:, :, wide[0], wide[1]], **close)
    torch.testing.assert_close(found.weights[..., 0], wanted.weights[0, 0, rows, columns], **close)
    # Where one cell is looked at clearly most, it is the same one.
    first, second = found.weights.unbind(dim=-1)
    clear = first > second + 1e-3
    places = torch.stack((found.sources[..., 0] // width, found.sources[..., 0] % width))
    here = torch.meshgrid(
        torch.arange(box.top, box.bottom), torch.arange(box.left, box.right), indexing="ij"
    )
    offsets = places - torch.stack(here)
    assert torch.equal(offsets[:, clear], wanted.offsets[0, :, rows, columns][:, clear])


def test_little_memory_makes_small_chunks_and_the_same_result():
    features, mask = example(9, 11, 0)
    layer = ContextualAttention()
    box = Box(0, 0, 9, 11)
    plenty, little = (CellAttention(layer, features, mask, memory) for memory in (2**30, 2**14))
    assert len(list(little._chunks(box))) > len(list(plenty._chunks(box))) == 1
    torch.testing.assert_close(
        little(box, 2).features, plenty(box, 2).features, atol=1e-5, rtol=1e-4
    )


@pytest.mark.parametrize("exclude", [False, True])
def test_where_all_cells_touch_the_hole_the_result_is_nothing(exclude):
    features, mask = example(5, 6, 1)
    layer, everything = ContextualAttention(exclude=exclude), torch.ones_like(mask)
    found = CellAttention(layer, features, everything, 2**30)(Box(1, 1, 3, 4), 3)
    assert not layer(features, everything).features.any()
    assert not found.features.any()
    assert not found.weights.any()


def test_sources_are_the_strongest_first():
    features, mask = example(6, 6, 2, gain=0.1, holes=0.05)
    layer = ContextualAttention()
    found = CellAttention(layer, features, mask, 2**30)(Box(0, 0, 6, 6), 40)
    assert (found.weights.diff(dim=-1) <= 0).all()
    assert found.weights.shape == (6, 6, 40)  # more places than cells leave zeros
    assert not found.weights[..., 36:].any()
    chosen = found.sources[..., 0][found.weights[..., 0] > 0]
    hole = layer.hole(mask, 12, 12)
    touched = torch.nn.functional.max_pool2d(hole, 3, 1, 1).flatten() > 0
    assert touched.any()
    assert not touched[chosen].any()


@pytest.mark.parametrize(("gain", "is_flat"), [(1.0, False), (0.01, True)])
def test_sharp_attention_is_listed_and_flat_attention_is_found_to_be_once(
    gain, is_flat, monkeypatch
):
    calls = []
    for name in ("_listed_scores", "_all_scores"):
        real = getattr(CellAttention, name)

        def counted(*args, real=real, name=name):
            calls.append(name)
            return real(*args)

        monkeypatch.setattr(CellAttention, name, counted)
    monkeypatch.setattr(module, "LARGEST_CHUNK", 4)
    features, mask = example(8, 8, 0, gain)
    CellAttention(ContextualAttention(), features, mask, 2**30)(Box(0, 0, 8, 8), 2)
    listed, flat = ["_listed_scores"] * 4, ["_listed_scores", *["_all_scores"] * 4]
    assert calls == (flat if is_flat else listed)


@pytest.mark.parametrize(
    "box",
    [
        Box(2, 2, 12, 9),  # all cells around it have all neighbors
        Box(1, 2, 12, 9),  # the others lie at one border each
        Box(2, 1, 12, 9),
        Box(2, 2, 14, 9),
        Box(2, 2, 12, 10),
    ],
)
@pytest.mark.parametrize(("tile", "strip"), [(1, 64), (1, 4), (2**21, 3), (2**21, 64)])
@pytest.mark.parametrize("threads", [1, 3])
def test_scores_listed_block_by_block_are_the_whole_frames(box, tile, strip, threads, monkeypatch):
    listed = []

    def watched(self, f, b, top, numbers, threads):
        for found in real(self, f, b, top, numbers, threads):
            listed.append(found.block)
            yield found

    real = scores.Scores.listed
    monkeypatch.setattr(scores.Scores, "listed", watched)
    monkeypatch.setattr(scores, "LEAST", 0)
    monkeypatch.setattr(scores, "STRIP", strip)
    monkeypatch.setattr(module, "TILE", tile)
    monkeypatch.setattr(module, "FEW", 1.0)
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    features, mask = example(15, 11, 5, holes=0.001)
    layer = ContextualAttention()
    wanted = layer(features, mask)
    found = CellAttention(layer, features, mask, 2**30)(box, 3)
    rows, columns = Box(2 * box.top, 2 * box.left, 2 * box.bottom, 2 * box.right).slices
    torch.testing.assert_close(
        found.features, wanted.features[:, :, rows, columns], atol=2e-5, rtol=1e-4
    )
    inside = box == Box(2, 2, 12, 9)
    assert len(listed) == inside * (4 if tile == 1 else 1) * {64: 1, 4: 3, 3: 3}[strip]
