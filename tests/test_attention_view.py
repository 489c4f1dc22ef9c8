"""Attention pictures: the official colors, and a drawing that says what the attention says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from gatefill.attention_view import (
    color_wheel,
    flow_picture,
    lines_picture,
    offset_colors,
)
from gatefill.methods.base import Attention

DATA = Path(__file__).parent / "data"


def an_attention(
    targets: list[tuple[int, int]], sources: list[tuple[int, int]], stride: int = 8
) -> Attention:
    return Attention(
        target=np.array(targets, np.int32).reshape(-1, 2),
        source=np.array(sources, np.int32).reshape(-1, 1, 2),
        weight=np.full((len(targets), 1), 0.5, np.float32),
        stride=stride,
    )


def aligned_bilinear(image: NDArray[np.float32], height: int, width: int) -> NDArray[np.float64]:
    """Resize ``HW3`` so that corners fall on corners, as the official code blows its map up."""
    rows = np.linspace(0, image.shape[0] - 1, height)
    columns = np.linspace(0, image.shape[1] - 1, width)
    tall = np.apply_along_axis(lambda line: np.interp(rows, np.arange(len(line)), line), 0, image)
    return np.apply_along_axis(lambda line: np.interp(columns, np.arange(len(line)), line), 1, tall)


def test_the_wheel_has_its_published_colors() -> None:
    wheel = color_wheel()
    assert wheel.shape == (55, 3)
    starts = np.cumsum([0, 15, 6, 4, 11, 13])
    corners = [(1, 0, 0), (1, 1, 0), (0, 1, 0), (0, 1, 1), (0, 0, 1), (1, 0, 1)]
    np.testing.assert_array_equal(wheel[starts], corners)


def test_colors_of_the_official_attention_map() -> None:
    arrays = np.load(DATA / "official_flow_48x64.npz")
    flow = (arrays["flow"] + 1) * 127.5
    colors = offset_colors(arrays["attn_offset"].astype(np.float32)).astype(np.float32)
    np.testing.assert_allclose(aligned_bilinear(colors, *flow.shape[:2]), flow, atol=1e-3)


@pytest.mark.parametrize("name", ["gen_256_freeform", "guided_256_freeform"])
def test_colors_of_the_large_official_maps(shared: Path, name: str) -> None:
    arrays = np.load(shared / "official" / f"{name}.npz")
    flow = (arrays["flow"] + 1) * 127.5
    colors = offset_colors(arrays["attn_offset"].astype(np.float32)).astype(np.float32)
    np.testing.assert_allclose(aligned_bilinear(colors, *flow.shape[:2]), flow, atol=1e-3)


@given(st.lists(st.tuples(st.floats(-500, 500), st.floats(-500, 500)), min_size=1, max_size=9))
def test_the_color_is_whiter_the_nearer(offsets: list[tuple[float, float]]) -> None:
    ways = np.array(offsets, np.float32)
    near, far = offset_colors(ways / 2, longest=1000.0), offset_colors(ways, longest=1000.0)
    assert (near >= far).all()
    assert (offset_colors(ways * 0) == 255).all()


def test_the_map_paints_the_holes_cells_and_nothing_else() -> None:
    attention = an_attention([(4, 4), (13, 21)], [(4, 60), (41, 21)])
    picture = flow_picture(attention, 47, 64, legend=False)
    assert picture.shape == (47, 64, 3)
    colors = offset_colors(np.array([[0, 56], [28, 0]], np.float32))
    assert (picture[:8, :8] == colors[0]).all()
    assert (picture[9:17, 17:25] == colors[1]).all()
    picture[:8, :8] = picture[9:17, 17:25] = 255
    assert (picture == 255).all()


@pytest.mark.parametrize("corner", [(4, 4), (4, 196), (196, 4), (196, 196)])
def test_the_legend_keeps_off_the_hole(corner: tuple[int, int]) -> None:
    attention = an_attention([corner], [(100, 100)])
    plain, drawn = (flow_picture(attention, 200, 200, legend=each) for each in (False, True))
    row, column = corner
    cell = slice(row - 4, row + 4), slice(column - 4, column + 4)
    np.testing.assert_array_equal(plain[cell], drawn[cell])
    assert (plain != drawn).any()


def test_a_line_leads_from_the_hole_to_the_place_attended() -> None:
    image = np.full((80, 100, 3), 120, np.uint8)
    mask = np.zeros((80, 100), np.bool_)
    mask[20:28, 16:24] = True
    picture = lines_picture(image, mask, an_attention([(24, 20)], [(24, 84)]))
    changed = (picture != image).any(axis=2)
    assert changed[24, 30:78].all()  # the way
    assert changed[18:31, 80:88].any()  # the ring
    changed[14:34, 12:92] = False
    assert not changed.any()
    assert (image == 120).all()


@given(
    height=st.integers(1, 70),
    width=st.integers(1, 70),
    spacing=st.none() | st.integers(1, 30),
    data=st.data(),
)
def test_any_frame_is_drawn(
    height: int, width: int, spacing: int | None, data: st.DataObject
) -> None:
    place = st.tuples(st.integers(0, height - 1), st.integers(0, width - 1))
    targets = data.draw(st.lists(place, max_size=6))
    sources = data.draw(st.lists(place, min_size=len(targets), max_size=len(targets)))
    attention = an_attention(targets, sources, stride=data.draw(st.sampled_from([1, 4, 8])))
    image = np.zeros((height, width, 3), np.uint8)
    mask = np.zeros((height, width), np.bool_)
    for target in targets:
        mask[target] = True
    for picture in (
        flow_picture(attention, height, width),
        lines_picture(image, mask, attention, spacing),
    ):
        assert picture.shape == (height, width, 3)
        assert picture.dtype == np.uint8


def test_what_does_not_fit_is_said() -> None:
    attention = an_attention([(4, 4)], [(4, 4)])
    image = np.zeros((8, 8, 3), np.uint8)
    with pytest.raises(ValueError, match=r"expected a mask of size \(8, 8\), got \(8, 9\)"):
        lines_picture(image, np.zeros((8, 9), np.bool_), attention)
    with pytest.raises(ValueError, match="spacing of at least 1 pixel, got 0"):
        lines_picture(image, np.ones((8, 8), np.bool_), attention, spacing=0)
