"""Computes the last layers of a network near the holes only, in ONNX operators.

The last layers depend on a few pixels only. Their maps are cropped to the box around all holes,
with the margin that later steps need. `gatefill.runtime.plan` does the same for torch, hole by
hole.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Any, NamedTuple

from gatefill.export.builder import Builder
from gatefill.runtime.base import MARGIN
from gatefill.runtime.graph import Graph
from gatefill.runtime.plan import Step, sizes_of

FRAME = 1 << 12  # a side that every stride divides, for computing the size of a cell
FARTHEST = 64  # pixels from a hole; maps needed farther away are computed whole
GAIN = 2  # smallest number of cells per side for cropping a map again


class Sides(NamedTuple):
    """Names of four vectors of one int64: the sides of a box in pixels of the frame."""

    top: str
    left: str
    bottom: str
    right: str


@dataclass(frozen=True)
class Cut:
    """The part of a whole map that a value covers."""

    reach: float  # pixels around the box of the holes that it covers
    sides: Sides


class Narrowing:
    """Crops the inputs of steps, and pads values that are needed whole again.

    Args:
        builder: The builder of the graph.
        graph: The steps of the network.
        mask: Name of the mask, ``11HW``, 1 = hole.
    """

    def __init__(self, builder: Builder, graph: Graph, mask: str) -> None:
        self.b = builder
        self.mask = mask
        self.frames = {step.name for step in graph.steps if step.kind == "input"}
        sizes = sizes_of(graph.steps, (FRAME, FRAME))
        self.cells = {name: FRAME // size[0] for name, size in sizes.items()}
        self.reach = {
            name: float(MARGIN) for kind, name in graph.outputs.items() if kind != "attention"
        }
        for step in reversed(graph.steps):
            needed = self._reach_of_inputs(step)
            for name in step.inputs:
                asked = 0.0 if name == step.in_hole else needed
                self.reach[name] = max(self.reach.get(name, 0.0), asked)
        self.cuts: dict[str, Cut] = {}  # by name of the value
        self._boxes: dict[tuple[int, int], Sides] = {}
        self._whole: dict[str, str] = {}

    def given(self, step: Step, name: str, value: Any) -> Any:
        """Return an input of a step, cropped as far as the step allows."""
        if not isinstance(value, str):
            return value
        reach = self._reach_of_inputs(step)
        cell = self.cells[name]
        if reach == inf:
            return self.whole(name, value)
        before = self.cuts.get(value)
        if before is not None and len(step.inputs) == 1 and before.reach - reach < GAIN * cell:
            return value
        return self._cut(value, int(reach), cell)

    def _reach_of_inputs(self, step: Step) -> float:
        """Return how many pixels around holes a step needs its inputs; `inf`: all."""
        reach = self.reach.get(step.name, inf)
        if reach > FARTHEST or step.kind not in ("point", "window"):
            return inf
        if not self.frames.isdisjoint(step.inputs):
            return inf
        if step.window is None:
            return reach
        if step.window.stride > 1:
            return inf
        window = step.window
        return reach + window.dilation * (window.kernel // 2) * self.cells[step.name]

    def made(self, given: list[Any], value: Any) -> None:
        """Record that a value was computed from these inputs, and covers the same part."""
        if isinstance(value, str) and given and isinstance(given[0], str):
            cut = self.cuts.get(given[0])
            if cut is not None:
                self.cuts[value] = cut

    def whole(self, name: str, value: Any) -> Any:
        """Pad a step's value to the whole map; 0 where it was not computed."""
        if not isinstance(value, str) or value not in self.cuts:
            return value
        if value not in self._whole:
            b, sides, cell = self.b, self.cuts[value].sides, self.b.integers(self.cells[name])
            beyond = [
                b.op("Sub", b.side(self.mask, axis), end)
                for axis, end in ((2, sides.bottom), (3, sides.right))
            ]
            pads = [b.op("Div", side, cell) for side in (sides.top, sides.left, *beyond)]
            zero = b.integers(0, 0)
            padded = b.op("Pad", value, b.join(zero, *pads[:2], zero, *pads[2:]))
            self._whole[value] = padded
        return self._whole[value]

    def _cut(self, value: str, reach: int, cell: int) -> str:
        b, sides, before = self.b, self._box(reach, cell), self.cuts.get(value)
        found = value
        for axis, start, stop, origin in (
            (2, sides.top, sides.bottom, None if before is None else before.sides.top),
            (3, sides.left, sides.right, None if before is None else before.sides.left),
        ):
            places = [start, stop]
            if origin is not None:
                places = [b.op("Sub", place, origin) for place in places]
            places = [b.op("Div", place, b.integers(cell)) for place in places]
            found = b.cut(found, axis, *places)
        self.cuts[found] = Cut(reach, sides)
        return found

    def _box(self, reach: int, cell: int) -> Sides:
        """Return the box around all holes with that many pixels, in whole cells."""
        if (reach, cell) not in self._boxes:
            b, far, size = self.b, self.b.integers(reach), self.b.integers(cell)
            ends = []
            for axis in (2, 3):
                first, last = self._ends(axis)
                start = b.op("Max", b.op("Sub", first, far), b.integers(0))
                stop = b.op("Add", last, b.integers(reach + cell))  # rounded up
                stop = b.op("Mul", b.op("Div", stop, size), size)
                stop = b.op("Min", stop, b.side(self.mask, axis))
                ends.append((b.op("Mul", b.op("Div", start, size), size), stop))
            (top, bottom), (left, right) = ends
            self._boxes[reach, cell] = Sides(top, left, bottom, right)
        return self._boxes[reach, cell]

    def _ends(self, axis: int) -> tuple[str, str]:
        """Return the first and the last line with a hole; those of the frame without a hole."""
        b = self.b
        others = [each for each in range(4) if each != axis]
        held = b.op("ReduceMax", self.mask, axes=others, keepdims=0)
        first = b.op("ArgMax", held, axis=0, keepdims=1)
        return first, b.op("ArgMax", held, axis=0, keepdims=1, select_last_index=1)
