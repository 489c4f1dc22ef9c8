"""One run of a network in torch: each step is computed on the boxes of a plan."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, cast

from torch import Tensor, fx, nn

from gatefill.geometry import Box
from gatefill.layers.contextual_attention import ContextualAttention
from gatefill.layers.padding import convolve
from gatefill.runtime.attention import CellAttention, CellsFound, pairs_cost
from gatefill.runtime.base import PLACES, Progress
from gatefill.runtime.graph import Graph, operation
from gatefill.runtime.plan import Plan, Step, inputs_of, part_of, transposed_part
from gatefill.runtime.scores import tiles

LEAST_TILE = 32  # positions along the longer side
AT_HAND = 48e6  # bytes of features that stay in caches; larger ones took a fifth longer
WORTH_TILING = 1.08  # largest factor on the cost, as margins of tiles are computed several times


class Computed(NamedTuple):
    """A box of a step's output and its values."""

    box: Box
    value: Any  # a tensor, or several as the step gives them


class Needed(NamedTuple):
    """The resources for computing a part of a step."""

    bytes: float  # of the largest intermediate features
    cost: float  # multiplications


class Execution:
    """One run of a network: the values of its steps that have been computed."""

    def __init__(
        self,
        graph: Graph,
        plan: Plan,
        frame: Mapping[str, Tensor],
        memory_limit: int,
        progress: Progress | None,
    ) -> None:
        """frame: the network's inputs by name; the other arguments: see `TorchRuntime`."""
        self.graph = graph
        self.plan = plan
        self.given = frame
        self.limit = memory_limit
        self.bytes = frame["image"].dtype.itemsize
        self.stored: dict[str, list[Computed]] = {}
        self._attention: CellAttention | None = None
        self._progress = progress
        self._done, self._total = 0.0, max(plan.cost + self._attention_cost(), 1.0)

    def frame(self, name: str) -> list[Computed]:
        """Return the computed regions of a stored step."""
        if name not in self.stored:
            step = self.graph.step(name)
            regions = self.plan.regions[name]
            if step.kind == "attention":
                self.stored[name] = [self._attend(step, box) for box in regions]
            else:
                self.stored[name] = [Computed(box, self._tiled(step, box)) for box in regions]
        return self.stored[name]

    def finish(self) -> None:
        """Report that all work is done."""
        if self._progress is not None:
            self._progress(1.0)

    def value(self, name: str, box: Box) -> Any:
        """Return the values in a box of a step's output."""
        step = self.graph.step(name)
        if step.stored:
            for region in self.frame(name):
                if holds(region.box, box):
                    return cut(region.value, box.moved(-region.box.top, -region.box.left))
            raise AssertionError(f"the plan has no {box} of {name}")
        if name in self.given:
            return cut(self.given[name], box)
        return self.compute(step, box)

    def compute(self, step: Step, box: Box) -> Any:
        """Compute a box of a step that is not stored."""
        layer: Any = self.graph.modules.get(step.name)
        match step.kind:
            case "input":
                return layer.value.to(self.given["image"])
            case "window":
                result = self._convolved(step, layer, box)
            case "transposed":
                result = self._enlarged(step, layer, box)
            case "join":
                sources = inputs_of(step, box, self.plan.sizes)
                joined = layer(*(self.value(name, part) for name, part in sources))
                result = cut(joined, box.moved(-sources[1][1].top, -sources[1][1].left))
            case _:
                result = self._combined(step, layer, box)
        self._tick(step.cost * box.area)
        return result

    def _convolved(self, step: Step, layer: Any, box: Box) -> Any:
        assert step.window is not None
        (source,) = step.inputs
        part, pads = part_of(step.window, box, self.plan.sizes[source])
        x = self.value(source, part)
        if isinstance(layer, nn.Conv2d):
            how = {"stride": layer.stride[0], "dilation": layer.dilation[0]}
            return convolve(
                x, layer.weight, layer.bias, padding=step.window.padding, pads=pads, **how
            )
        return layer(x, pads=pads)

    def _enlarged(self, step: Step, layer: nn.ConvTranspose2d, box: Box) -> Tensor:
        assert step.window is not None
        (source,) = step.inputs
        part, pads = transposed_part(step.window, box, self.plan.sizes[source])
        x = self.value(source, part)
        whole = nn.functional.conv_transpose2d(x, layer.weight, layer.bias, layer.stride)
        return nn.functional.pad(whole, pads)

    def _combined(self, step: Step, layer: Any, box: Box) -> Any:
        """Compute a step in which every position depends on the same position of its inputs."""
        node = self.graph.nodes[step.name]

        def value(each: fx.Node) -> Any:
            if each.name == step.in_hole:
                return self._in_holes(each.name, box)
            return self.value(each.name, box)

        arguments = fx.node.map_arg(node.args, value)
        keywords = fx.node.map_arg(node.kwargs, value)
        call: Callable[..., Any] = operation(node) if layer is None else layer
        return call(*arguments, **keywords)

    def _in_holes(self, name: str, box: Box) -> Tensor:
        """Return a box of a step that is computed around the holes only, and 0 elsewhere."""
        regions = self.frame(name)
        first = regions[0].value
        if len(regions) == 1 and holds(regions[0].box, box):
            return cast(Tensor, cut(first, box.moved(-regions[0].box.top, -regions[0].box.left)))
        total: Tensor = first.new_zeros(1, first.shape[1], box.height, box.width)
        for region in regions:
            both = Box(
                max(box.top, region.box.top),
                max(box.left, region.box.left),
                min(box.bottom, region.box.bottom),
                min(box.right, region.box.right),
            )
            if both.height > 0 and both.width > 0:
                rows, columns = both.moved(-box.top, -box.left).slices
                part = cut(region.value, both.moved(-region.box.top, -region.box.left))
                total[:, :, rows, columns] = part
        return total

    def _tiled(self, step: Step, box: Box) -> Any:
        """Compute a box of a stored step, in tiles if its features would take too much memory."""
        height, width = self._tile(step, box)
        total: Any = None
        for tile in tiles(box, height, width):
            value = self.compute(step, tile)
            if tile == box:
                return value
            if total is None:
                shapes = [(*part.shape[:2], box.height, box.width) for part in parts(value)]
                total = [part.new_empty(s) for part, s in zip(parts(value), shapes, strict=True)]
            rows, columns = tile.moved(-box.top, -box.left).slices
            for whole, part in zip(total, parts(value), strict=True):
                whole[:, :, rows, columns] = part
        return like(value, total)

    def _tile(self, step: Step, box: Box) -> tuple[int, int]:
        """Choose the size of tiles for a box: as memory requires, or smaller if that costs little.

        Features of small tiles stay in the processor's caches and in memory that is already
        allocated.
        """
        height, width = box.height, box.width
        needed = self._needed(step, height, width)
        while max(height, width) > LEAST_TILE:
            rows, columns = (height // 2, width) if height > width else (height, width // 2)
            half = self._needed(step, rows, columns)
            fits = needed.bytes <= self.limit / 8
            if fits and (needed.bytes <= AT_HAND or 2 * half.cost > WORTH_TILING * needed.cost):
                break
            height, width, needed = rows, columns, half
        return height, width

    def _needed(self, step: Step, height: int, width: int) -> Needed:
        """Return the resources for a part of a step in the middle of the frame."""
        top, left = (side // 2 for side in self.plan.sizes[step.name])
        top, left = top - height // 2, left - width // 2

        def needed(step: Step, box: Box) -> Needed:
            largest, cost = float(step.channels * box.area * self.bytes), step.cost * box.area
            for name, part in inputs_of(step, box, self.plan.sizes):
                before = self.graph.step(name)
                if not before.stored and before.kind != "input":
                    further = needed(before, part)
                    largest, cost = max(largest, further.bytes), cost + further.cost
            return Needed(largest, cost)

        return needed(step, Box(top, left, top + height, left + width))

    def _attend(self, step: Step, box: Box) -> Computed:
        """Compute attention for a box of features."""
        if self._attention is None:
            layer = self.graph.modules[step.name]
            assert isinstance(layer, ContextualAttention)
            (region,) = self.frame(step.inputs[0])
            left = self.limit - sum(part.value.nbytes for part in self.stored[step.inputs[0]])
            self._attention = CellAttention(
                layer, region.value, self.given["mask"], left, self._tick
            )
        cells = Box(box.top // 2, box.left // 2, box.bottom // 2, box.right // 2)
        found = self._attention(cells, PLACES)
        return Computed(box, found._replace(features=found.features.to(self.given["image"].dtype)))

    def _attention_cost(self) -> float:
        steps = [step for step in self.graph.steps if step.kind == "attention"]
        return sum(
            pairs_cost(box.area // 4, height * width // 4)
            for step in steps
            for height, width in [self.plan.sizes[step.name]]
            for box in self.plan.regions[step.name]
        )

    def _tick(self, cost: float) -> None:
        """Report progress; an exception that `progress` raises cancels the run."""
        if cost and self._progress is not None:
            self._done += cost
            self._progress(min(self._done / self._total, 1.0))


def parts(value: Any) -> list[Tensor]:
    """Return the maps of a step's value: one, or features and a mask."""
    return list(value) if isinstance(value, tuple) else [value]


def like(value: Any, maps: list[Tensor]) -> Any:
    """Arrange other maps in the same way as in `value`."""
    return type(value)(*maps) if isinstance(value, tuple) else maps[0]


def cut(value: Any, box: Box) -> Any:
    """Crop maps ``BCHW`` to a box."""
    rows, columns = box.slices
    if isinstance(value, CellsFound):
        return value._replace(features=value.features[:, :, rows, columns])
    return like(value, [part[:, :, rows, columns] for part in parts(value)])


def holds(outer: Box, inner: Box) -> bool:
    """Return whether a box contains another one."""
    return (
        outer.top <= inner.top
        and outer.left <= inner.left
        and outer.bottom >= inner.bottom
        and outer.right >= inner.right
    )
