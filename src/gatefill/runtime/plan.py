"""Which parts of a network must be computed for its result to be valid at some pixels.

A network is a list of `Step`s, each of which says on which part of its inputs a part of its output
depends (its receptive field). Tracing back from the requested pixels gives a box for every step,
exact at the borders of the frame for every padding rule. Nothing here computes with pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from gatefill.geometry import Box, merge_overlapping
from gatefill.layers.padding import Padding, Pads, pad_amounts

Size = tuple[int, int]  # height, width


@dataclass(frozen=True)
class Window:
    """The positions of the input that one position of a layer's output depends on."""

    kernel: int
    stride: int = 1
    dilation: int = 1
    padding: Padding = "same"
    doubled: bool = False  # the input is doubled (nearest) before the convolution


Kind = Literal["input", "point", "window", "transposed", "join", "attention"]
"""input: an input or a constant. point: every position depends on the same position of all inputs.
window: a convolution. transposed: a transposed convolution. join: the first input, doubled,
concatenated with the second. attention: every position depends on the whole frame."""


@dataclass(frozen=True)
class Step:
    """One operation of a network."""

    name: str
    kind: Kind
    inputs: tuple[str, ...] = ()
    window: Window | None = None
    cost: float = 0.0  # multiplications per position of the output
    channels: int = 0  # channels of the output before the gate
    stored: bool = False  # computed once and kept; other steps are recomputed where they are needed
    in_hole: str | None = None  # the input that matters in holes only: it is multiplied by the mask


@dataclass(frozen=True)
class Plan:
    """The parts of the stored steps to compute, and their cost."""

    size: Size  # of the frame
    boxes: tuple[Box, ...]  # boxes of the frame in which the result is valid
    regions: Mapping[str, tuple[Box, ...]]  # boxes to compute of each stored step, by name
    sizes: Mapping[str, Size]  # size of each step's whole output, by name
    costs: Mapping[str, float]  # multiplications of each stored step, including steps before it

    @property
    def cost(self) -> float:
        """Multiplications of all steps, without those of attention itself."""
        return sum(self.costs.values())


class Part(NamedTuple):
    """The part of an input that a part of the output depends on, and its padding."""

    box: Box
    pads: Pads


def part_of(window: Window, box: Box, size: Size) -> Part:
    """Return the part that a convolution reads for `box` of its output; size: of its input."""
    top, bottom, above, below = _along(window, box.top, box.bottom, size[0])
    left, right, before, after = _along(window, box.left, box.right, size[1])
    return Part(Box(top, left, bottom, right), (before, after, above, below))


def _along(window: Window, start: int, stop: int, size: int) -> tuple[int, int, int, int]:
    """Return what a convolution reads along one side: start, end, padding before and after.

    Args:
        window: The convolution.
        start, stop: The part of the output.
        size: Length of the whole input.
    """
    size = 2 * size if window.doubled else size
    padded, _ = pad_amounts(window.padding, size, window.kernel, window.stride, window.dilation)
    first = start * window.stride - padded
    last = (stop - 1) * window.stride - padded + (window.kernel - 1) * window.dilation + 1
    low, high = max(first, 0), min(last, size)
    # A window is wider than twice the padding, so pixels for "reflect" are part of it.
    if window.doubled:
        source = low // 2, -(-high // 2)
        return *source, 2 * source[0] - first, last - 2 * source[1]
    return low, high, low - first, last - high


def transposed_part(window: Window, box: Box, size: Size) -> Part:
    """Return the part that a transposed convolution, padded by (kernel - stride) / 2, reads.

    Its output on that part is larger than `box`: the pads are negative, for cropping it.
    """
    spans = []
    padded = (window.kernel - window.stride) // 2
    for start, stop, length in ((box.top, box.bottom, size[0]), (box.left, box.right, size[1])):
        low = max(-((window.kernel - 1 - padded - start) // window.stride), 0)
        high = min((stop - 1 + padded) // window.stride + 1, length)
        first = window.stride * low - padded
        last = window.stride * (high - 1) - padded + window.kernel
        spans.append((low, high, first - start, stop - last))
    (top, bottom, above, below), (left, right, before, after) = spans
    return Part(Box(top, left, bottom, right), (before, after, above, below))


def inputs_of(step: Step, box: Box, sizes: Mapping[str, Size]) -> list[tuple[str, Box]]:
    """Return the boxes of the inputs that a box of the step's output depends on."""
    match step.kind:
        case "window":
            assert step.window is not None
            return [(name, part_of(step.window, box, sizes[name]).box) for name in step.inputs]
        case "transposed":
            assert step.window is not None
            found = transposed_part(step.window, box, sizes[step.inputs[0]])
            return [(step.inputs[0], found.box)]
        case "join":
            half = Box(box.top // 2, box.left // 2, -(-box.bottom // 2), -(-box.right // 2))
            beside = Box(2 * half.top, 2 * half.left, box.bottom, box.right)
            return [(step.inputs[0], half), (step.inputs[1], beside)]
        case "attention":
            return [(step.inputs[0], _whole(sizes[step.inputs[0]]))]
        case _:
            return [(name, box) for name in step.inputs]


def sizes_of(steps: Sequence[Step], size: Size) -> dict[str, Size]:
    """Return the size of each step's whole output for a frame of `size`."""
    sizes: dict[str, Size] = {}
    for step in steps:
        if step.kind == "input" or not step.inputs:
            sizes[step.name] = size
            continue
        height, width = sizes[step.inputs[-1] if step.kind == "join" else step.inputs[0]]
        if step.window is not None:
            if step.kind == "transposed":
                height, width = height * step.window.stride, width * step.window.stride
            else:
                by = 2 if step.window.doubled else 1
                height = -(-height * by // step.window.stride)
                width = -(-width * by // step.window.stride)
        sizes[step.name] = (height, width)
    return sizes


def make_plan(
    steps: Sequence[Step], outputs: Iterable[str], size: Size, boxes: Sequence[Box]
) -> Plan:
    """Make the plan for a frame of `size` whose result is needed in `boxes`."""
    sizes = sizes_of(steps, size)
    by_name = {step.name: step for step in steps}
    asked: dict[str, list[Box]] = {step.name: [] for step in steps if step.stored}
    for name in outputs:
        asked[name] += boxes
    regions: dict[str, tuple[Box, ...]] = {}
    costs: dict[str, float] = {}

    def ask(name: str, box: Box) -> float:
        """Add a box of a step; return its cost if the step is not stored."""
        step = by_name[name]
        if step.stored:
            asked[name].append(box)
            return 0.0
        return compute(step, box)

    def compute(step: Step, box: Box) -> float:
        total = step.cost * box.area
        for name, part in inputs_of(step, box, sizes):
            if name == step.in_hole:
                asked[name] += boxes
            else:
                total += ask(name, part)
        return total

    # The steps that need a step come after it.
    for step in reversed(steps):
        if step.stored:
            regions[step.name] = tuple(_distinct(asked[step.name], step.kind == "attention"))
            costs[step.name] = sum(compute(step, box) for box in regions[step.name])
    return Plan(size, tuple(boxes), regions, sizes, costs)


def _distinct(boxes: Sequence[Box], by_cells: bool) -> list[Box]:
    """Merge boxes until none overlap; attention works on cells of 2x2 positions."""
    if by_cells:
        boxes = [
            Box(
                box.top // 2 * 2,
                box.left // 2 * 2,
                -(-box.bottom // 2) * 2,
                -(-box.right // 2) * 2,
            )
            for box in boxes
        ]
    return merge_overlapping(sorted(set(boxes), key=lambda box: -box.area))


def _whole(size: Size) -> Box:
    return Box(0, 0, *size)


MOST_BOXES = 64  # boxes planned one by one; if there are more, they are merged


def best_plan(
    steps: Sequence[Step], outputs: Sequence[str], size: Size, holes: Sequence[Box]
) -> Plan:
    """Return the cheapest plan for the holes: with boxes apart, merged, or the whole frame."""
    boxes, margin = list(holes), 8
    while len(boxes) > MOST_BOXES:
        boxes = merge_overlapping([box.grown(margin, *size) for box in boxes])
        margin *= 2

    # Nearby boxes are merged while that is cheaper: their receptive fields overlap.
    shared = {step.inputs[0] for step in steps if step.kind == "attention"}
    known: dict[Box, float] = {}

    def own_cost(box: Box) -> float:
        if box not in known:
            costs = make_plan(steps, outputs, size, [box]).costs
            known[box] = sum(cost for name, cost in costs.items() if name not in shared)
        return known[box]

    while pair := _worth_joining(boxes, own_cost):
        rest = [box for box in boxes if box not in pair]
        boxes = merge_overlapping([*rest, pair[0].union(pair[1])])
    plan = make_plan(steps, outputs, size, boxes)
    frame = make_plan(steps, outputs, size, [_whole(size)])
    return plan if plan.cost < frame.cost else frame


def _worth_joining(boxes: Sequence[Box], cost: Callable[[Box], float]) -> tuple[Box, Box] | None:
    """Return two boxes that cost more separately than merged."""
    for i, first in enumerate(boxes):
        for second in boxes[i + 1 :]:
            if cost(first.union(second)) <= cost(first) + cost(second):
                return first, second
    return None
