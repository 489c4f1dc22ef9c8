"""A torch network as a list of steps, recorded from its own `forward`.

`forward` runs once with the proxies of torch.fx in place of tensors, which record every operation.
Layers, whose receptive fields are known, are recorded as a whole.
"""

from __future__ import annotations

import copy
import inspect
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, cast

import torch
from torch import fx, nn

from gatefill.layers.contextual_attention import ContextualAttention
from gatefill.layers.partial import Joined
from gatefill.runtime.plan import Kind, Step, Window


@dataclass(frozen=True)
class Graph:
    """The steps of a network, and the torch operation of each."""

    steps: tuple[Step, ...]
    nodes: dict[str, fx.Node]
    modules: dict[str, nn.Module]  # of the steps that are layers
    outputs: dict[str, str]  # "image", "coarse" and "attention" -> step

    def step(self, name: str) -> Step:
        """Return the step of that name."""
        return self._by_name[name]

    @cached_property
    def _by_name(self) -> dict[str, Step]:
        return {step.name: step for step in self.steps}


class _Tracer(fx.Tracer):
    """A torch.fx tracer without its `trace`, which patches `nn.Module` for all threads."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.root = network
        self.graph = fx.Graph(tracer_cls=_Tracer)
        self.tensor_attrs = {}

    def to_bool(self, obj: fx.Proxy) -> bool:  # noqa: ARG002
        # The only condition in a network checks the sides of its input, which the adapter pads.
        return False

    def run(self) -> fx.Graph:
        """Record what `forward` does with proxies for tensors and layers."""
        given = inspect.signature(self.root.forward).parameters
        frames = [self.create_proxy("placeholder", name, (), {}) for name in given]
        result = self._with_noted_layers(self.root, "").forward(*frames)
        self.create_node("output", "output", (self.create_arg(result),), {})
        return self.graph

    def _with_noted_layers(self, module: nn.Module, path: str) -> nn.Module:
        """Copy a network, or a `Sequential` in it, with layers that record their calls."""
        noted = copy.copy(module)
        noted._modules = {
            name: self._with_noted_layers(child, f"{path}{name}.")
            if isinstance(child, nn.Sequential)
            else _NotedLayer(partial(self.create_proxy, "call_module", f"{path}{name}"))
            for name, child in module.named_children()
        }
        return noted


class _NotedLayer(nn.Module):
    """Replaces a layer: a call becomes a node of the graph."""

    def __init__(self, note: Callable[..., fx.Proxy]) -> None:
        super().__init__()
        self._note = note

    def forward(self, *args: Any, **kwargs: Any) -> fx.Proxy:
        return self._note(args, kwargs)


def trace(network: nn.Module) -> Graph:
    """Return the steps of a network in the order of execution."""
    graph = _Tracer(network).run()
    for node in reversed(list(graph.nodes)):  # nodes that only the check of the sides needs
        if not node.users and node.op not in ("output", "placeholder"):
            graph.erase_node(node)
    outputs = _outputs(graph)
    modules: dict[str, nn.Module] = {}
    steps: list[Step] = []
    nodes: dict[str, fx.Node] = {}
    for node in graph.nodes:
        if node.op == "output" or node is _stages(graph):
            continue
        nodes[node.name] = node
        if node.op == "call_module":
            modules[node.name] = network.get_submodule(cast(str, node.target))
        elif node.op == "get_attr":
            modules[node.name] = _Constant(network.get_buffer(cast(str, node.target)))
        steps.append(_step(node, modules.get(node.name)))
    steps = _with_stores(steps, outputs)
    stored = {step.name for step in steps if step.stored}
    steps = [replace(step, in_hole=_in_hole(nodes[step.name], stored)) for step in steps]
    return Graph(tuple(steps), nodes, modules, outputs)


class _Constant(nn.Module):
    """A buffer of the network, such as the mean of its training images."""

    def __init__(self, value: Any) -> None:
        super().__init__()
        self.value = value


def _stages(graph: fx.Graph) -> fx.Node | None:
    """Return the node that collects the results of a two-stage network."""
    (result,) = next(node for node in graph.nodes if node.op == "output").args
    assert isinstance(result, fx.Node)
    return result if hasattr(result.target, "_fields") else None


def _outputs(graph: fx.Graph) -> dict[str, str]:
    bundle = _stages(graph)
    if bundle is None:
        (result,) = next(node for node in graph.nodes if node.op == "output").args
        return {"image": cast(fx.Node, result).name}
    names = cast(Any, bundle.target)._fields
    found = {name: cast(fx.Node, node).name for name, node in zip(names, bundle.args, strict=True)}
    return {"image": found["refined"], "coarse": found["coarse"], "attention": found["attention"]}


def _step(node: fx.Node, module: nn.Module | None) -> Step:
    """Convert a node to a step, with its receptive field."""
    inputs = tuple(each.name for each in node.all_input_nodes)
    kind: Kind = "input" if node.op in ("placeholder", "get_attr") else "point"
    step = Step(node.name, kind, inputs)
    if isinstance(module, ContextualAttention):
        return replace(step, kind="attention")
    if isinstance(module, Joined):
        return replace(step, kind="join")
    weight = getattr(module, "weight", None)
    if weight is None or weight.ndim != 4:
        return step
    layer = cast(Any, module)
    cost = float(weight.numel())
    if isinstance(module, nn.ConvTranspose2d):
        window = Window(layer.kernel_size[0], layer.stride[0])
        assert layer.padding[0] == (window.kernel - window.stride) // 2
        cost /= window.stride**2
        return replace(
            step, kind="transposed", window=window, cost=cost, channels=layer.out_channels
        )
    if isinstance(module, nn.Conv2d):
        window = Window(layer.kernel_size[0], layer.stride[0], layer.dilation[0], "symmetric")
        assert layer.padding[0] == window.dilation * (window.kernel - 1) // 2
    else:  # layers of gatefill
        window = Window(
            layer.kernel,
            layer.stride,
            getattr(layer, "dilation", 1),
            layer.padding,
            getattr(layer, "upsample", False),
        )
    return replace(step, kind="window", window=window, cost=cost, channels=weight.shape[0])


def _with_stores(steps: Sequence[Step], outputs: dict[str, str]) -> list[Step]:
    """Mark the steps to store: results, attention and its input, and inputs of several steps.

    Steps that only combine stored values cost nothing, and are computed wherever they are needed.
    """
    readers: dict[str, int] = {}
    for step in steps:
        for name in step.inputs:
            readers[name] = readers.get(name, 0) + 1
    attended = {step.inputs[0] for step in steps if step.kind == "attention"}
    results = set(outputs.values())
    at_hand: set[str] = set()  # inputs, stored steps, or mere combinations of these
    marked: list[Step] = []
    for step in steps:
        light = step.kind in ("input", "point") and all(name in at_hand for name in step.inputs)
        several = readers.get(step.name, 0) > 1
        wanted = step.name in results or step.name in attended or step.kind == "attention"
        stored = step.kind != "input" and (wanted or (several and not light))
        if light or stored:
            at_hand.add(step.name)
        marked.append(replace(step, stored=stored))
    return marked


def _in_hole(node: fx.Node, stored: set[str]) -> str | None:
    """Return the stored input of a product with the mask, which is 0 outside the hole."""
    inputs = [each.name for each in node.all_input_nodes]
    if node.target not in (operator.mul, torch.mul) or "mask" not in inputs:
        return None
    others = [name for name in inputs if name != "mask"]
    return others[0] if len(others) == 1 and others[0] in stored else None


def operation(node: fx.Node) -> Callable[..., Any]:
    """Return the function of a node that is not a layer."""
    if node.op == "call_method":
        name = cast(str, node.target)
        return lambda value, *args, **kwargs: getattr(value, name)(*args, **kwargs)
    assert callable(node.target)
    return node.target
