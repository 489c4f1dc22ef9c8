"""The arithmetic of receptive fields against convolutions themselves."""

from __future__ import annotations

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from torch.nn import functional

from gatefill.geometry import Box, bounding_box
from gatefill.layers.padding import convolve, upsample_twice
from gatefill.methods.networks.deepfill_v2 import DeepFillV2Config, DeepFillV2Network
from gatefill.methods.networks.partial_conv import PartialConvConfig, PartialConvNetwork
from gatefill.runtime.graph import trace
from gatefill.runtime.plan import (
    Step,
    Window,
    best_plan,
    inputs_of,
    make_plan,
    part_of,
    transposed_part,
)


@st.composite
def windows(draw):
    return Window(
        draw(st.sampled_from([1, 3, 5, 7])),
        draw(st.sampled_from([1, 2])),
        draw(st.sampled_from([1, 2, 4])),
        draw(st.sampled_from(["same", "symmetric", "reflect"])),
        draw(st.booleans()),
    )


def part(draw, height, width):
    top, left = draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))
    return Box(top, left, draw(st.integers(top + 1, height)), draw(st.integers(left + 1, width)))


@given(windows(), st.integers(1, 20), st.integers(1, 20), st.data())
def test_a_convolution_needs_no_more_than_the_plan_says(window, height, width, data):
    dice = torch.Generator().manual_seed(height * 31 + width)
    x = torch.randn(1, 2, height, width, generator=dice, dtype=torch.double)
    weight = torch.randn(3, 2, window.kernel, window.kernel, generator=dice, dtype=torch.double)
    how = {"stride": window.stride, "dilation": window.dilation, "padding": window.padding}
    doubled = upsample_twice if window.doubled else lambda y: y
    whole = convolve(doubled(x), weight, **how)
    box = part(data.draw, *whole.shape[-2:])
    needed, pads = part_of(window, box, (height, width))
    rows, columns = needed.slices
    found = convolve(doubled(x[:, :, rows, columns]), weight, pads=pads, **how)
    rows, columns = box.slices
    torch.testing.assert_close(found, whole[:, :, rows, columns])


@given(windows(), st.integers(1, 20), st.integers(1, 20), st.data())
def test_a_convolution_needs_no_less_than_the_plan_says(window, height, width, data):
    """The box is the one around all places that the part depends on, seen by its gradient."""
    x = torch.ones(1, 1, height, width, dtype=torch.double, requires_grad=True)
    weight = torch.ones(1, 1, window.kernel, window.kernel, dtype=torch.double)
    how = {"stride": window.stride, "dilation": window.dilation, "padding": window.padding}
    doubled = upsample_twice if window.doubled else lambda y: y
    whole = convolve(doubled(x), weight, **how)
    box = part(data.draw, *whole.shape[-2:])
    rows, columns = box.slices
    whole[:, :, rows, columns].sum().backward()
    needed, _ = part_of(window, box, (height, width))
    read = bounding_box((x.grad[0, 0] != 0).numpy())
    assert read is not None
    assert needed.union(read) == needed
    if window.dilation == 1 and window.kernel >= window.stride and window.padding != "reflect":
        assert needed == read


@given(st.integers(1, 9), st.integers(1, 9), st.data())
def test_a_transposed_convolution_likewise(height, width, data):
    x = torch.randn(1, 2, height, width, dtype=torch.double)
    weight = torch.randn(2, 3, 4, 4, dtype=torch.double)
    whole = functional.conv_transpose2d(x, weight, None, 2, 1)
    box = part(data.draw, *whole.shape[-2:])
    needed, pads = transposed_part(Window(4, 2), box, (height, width))
    rows, columns = needed.slices
    found = functional.pad(
        functional.conv_transpose2d(x[:, :, rows, columns], weight, None, 2), pads
    )
    rows, columns = box.slices
    torch.testing.assert_close(found, whole[:, :, rows, columns])


@given(st.integers(1, 9), st.integers(1, 9), st.data())
def test_a_transposed_convolution_needs_no_less(height, width, data):
    x = torch.ones(1, 1, height, width, dtype=torch.double, requires_grad=True)
    weight = torch.ones(1, 1, 4, 4, dtype=torch.double)
    whole = functional.conv_transpose2d(x, weight, None, 2, 1)
    box = part(data.draw, *whole.shape[-2:])
    rows, columns = box.slices
    whole[:, :, rows, columns].sum().backward()
    needed, _ = transposed_part(Window(4, 2), box, (height, width))
    assert needed == bounding_box((x.grad[0, 0] != 0).numpy())


@given(st.integers(1, 9), st.integers(1, 9), st.data())
def test_a_join_needs_the_doubled_input_and_the_other_one_no_farther_than_its_part(
    height, width, data
):
    """The second input is asked for from an even place on, so that both fit together."""
    small, large = (
        torch.ones(1, 1, -(-height // 2), -(-width // 2)),
        torch.ones(1, 1, height, width),
    )
    box = part(data.draw, height, width)
    rows, columns = box.slices
    doubled = small.requires_grad_().repeat_interleave(2, 2).repeat_interleave(2, 3)
    doubled[:, :, rows, columns].sum().backward()
    sizes = {"small": small.shape[2:], "large": large.shape[2:]}
    found = dict(inputs_of(Step("join", "join", ("small", "large")), box, sizes))
    assert found["small"] == bounding_box((small.grad[0, 0] != 0).numpy())
    even = Box(box.top - box.top % 2, box.left - box.left % 2, box.bottom, box.right)
    assert found["large"] == even


@given(st.integers(1, 9), st.integers(1, 9), st.data())
def test_attention_is_computed_for_whole_cells_and_no_others(height, width, data):
    steps = [Step("image", "input"), Step("attention", "attention", ("image",), stored=True)]
    box = part(data.draw, height, width)
    found = make_plan(steps, ["attention"], (2 * height, 2 * width), [box]).regions["attention"]
    cells = torch.zeros(height + 1, width + 1)
    for y in range(box.top, box.bottom):
        for x in range(box.left, box.right):
            cells[y // 2, x // 2] = 1
    inside = bounding_box((cells > 0).numpy())
    assert found == (
        Box(*(2 * side for side in (inside.top, inside.left, inside.bottom, inside.right))),
    )


GRAPH = trace(DeepFillV2Network(DeepFillV2Config(width=4)))
RESULTS = [GRAPH.outputs["image"], GRAPH.outputs["coarse"]]


def plan(size, *holes):
    return best_plan(GRAPH.steps, RESULTS, size, holes)


def test_the_cost_follows_the_hole_but_for_the_keys_of_attention():
    near, far = Box(200, 200, 264, 264), Box(3000, 3000, 3064, 3064)
    small, large = plan((512, 512), near), plan((4096, 4096), far)
    keys = {"pmconv6"}
    assert sum(cost for name, cost in large.costs.items() if name not in keys) == pytest.approx(
        sum(cost for name, cost in small.costs.items() if name not in keys), rel=0.3
    )
    assert large.costs["pmconv6"] == pytest.approx(64 * small.costs["pmconv6"], rel=0.01)
    frame = make_plan(GRAPH.steps, RESULTS, (4096, 4096), [Box(0, 0, 4096, 4096)])
    assert large.cost < frame.cost / 4


def test_distant_holes_have_boxes_of_their_own_and_near_ones_share():
    first, distant, near = Box(8, 8, 40, 40), Box(1900, 1900, 1940, 1940), Box(8, 60, 40, 90)
    assert plan((2048, 2048), first, distant).boxes == (first, distant)
    assert plan((2048, 2048), first, near).boxes == (first.union(near),)


def test_holes_all_over_the_frame_take_one_box_and_cost_no_more_than_the_frame():
    scattered = [Box(y, x, y + 60, x + 60) for y in (0, 100, 190) for x in (4, 90, 180)]
    found = plan((256, 256), *scattered)
    assert found.boxes == (Box(0, 4, 250, 240),)
    frame = make_plan(GRAPH.steps, RESULTS, (256, 256), [Box(0, 0, 256, 256)])
    assert found.cost <= frame.cost


def test_specks_by_the_thousand_are_planned_in_time():
    specks = [Box(y, x, y + 2, x + 2) for y in range(0, 2048, 40) for x in range(0, 2048, 40)]
    found = plan((2048, 2048), *specks)
    assert all(any(box.union(speck) == box for box in found.boxes) for speck in specks)


@given(st.integers(1, 300), st.integers(1, 300), st.data())
def test_a_u_net_that_sees_everything_still_decodes_only_around_the_hole(height, width, data):
    graph = trace(PartialConvNetwork(PartialConvConfig(width=2, levels=4)))
    assume(height * width > 2000)
    box = part(data.draw, height, width)
    found = make_plan(graph.steps, [graph.outputs["image"]], (height, width), [box])
    frame = make_plan(
        graph.steps, [graph.outputs["image"]], (height, width), [Box(0, 0, height, width)]
    )
    assert found.cost <= frame.cost
    assert found.sizes[graph.outputs["image"]] == (height, width)


def test_kept_are_results_and_what_several_steps_or_attention_read():
    """More would cost memory, less would compute the same twice."""
    kept = {step.name for step in GRAPH.steps if step.stored}
    assert kept == {GRAPH.outputs["coarse"], "pmconv6", "attention", GRAPH.outputs["image"]}
    kinds = {step.name: step.kind for step in GRAPH.steps}
    assert kinds["pmconv6"] == "window"
    inputs = {step.name for step in GRAPH.steps if step.kind == "input"}
    assert inputs == {"image", "mask", "sketch"}
