"""Writes the steps of a network as ONNX operators, from the same graph that torch runs."""

from __future__ import annotations

import operator
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from onnx import TensorProto
from torch import Tensor, fx, nn

from gatefill.export.attention import attend
from gatefill.export.builder import Builder
from gatefill.export.narrowing import Narrowing
from gatefill.layers.contextual_attention import ContextualAttention
from gatefill.layers.gated import Activation, Convolution
from gatefill.layers.padding import Padding, same_padding
from gatefill.layers.partial import Joined, Masked
from gatefill.runtime.base import PLACES
from gatefill.runtime.graph import Graph

EVEN = 1 << 20  # a side that every stride divides


class Known(NamedTuple):
    """Names of a feature map and of its mask."""

    features: str
    known: str


class NetworkWriter:
    """Adds the steps of a network to an ONNX graph."""

    def __init__(self, builder: Builder, graph: Graph) -> None:
        self.b = builder
        self.graph = graph
        self.values: dict[str, Any] = {}
        self.given: dict[str, Any] = {}  # inputs of the current step

    def write(self, inputs: dict[str, str]) -> dict[str, Any]:
        """Add all steps; inputs: names of the network's inputs. Returns names of the outputs."""
        narrowing = Narrowing(self.b, self.graph, inputs["mask"])
        for step in self.graph.steps:
            node = self.graph.nodes[step.name]
            self.given = {
                name: narrowing.given(step, name, self.values[name]) for name in step.inputs
            }
            if node.op == "placeholder":
                self.values[step.name] = inputs.get(step.name, "")
            elif node.op == "get_attr":
                value = cast(Any, self.graph.modules[step.name]).value
                self.values[step.name] = self.b.constant(value.numpy())
            elif node.op == "call_module":
                arguments = [self.given[each.name] for each in node.all_input_nodes]
                self.values[step.name] = self._layer(
                    step.name, self.graph.modules[step.name], arguments
                )
            else:
                self.values[step.name] = self._operation(node)
            narrowing.made([*self.given.values()], self.values[step.name])
        return {
            kind: narrowing.whole(name, self.values[name])
            for kind, name in self.graph.outputs.items()
        }

    def _layer(self, name: str, layer: Any, inputs: list[Any]) -> Any:
        match layer:
            case Convolution():
                return self._convolution(name, layer, inputs[0])
            case ContextualAttention():
                return attend(self.b, layer, inputs[0], inputs[1], PLACES)
            case Joined():
                return self._joined(inputs[0], inputs[1])
            case nn.Conv2d():
                return self._conv(inputs[0], layer, name, rule="symmetric")
            case nn.ConvTranspose2d():
                return self.b.op(
                    "ConvTranspose",
                    inputs[0],
                    *self._weights(layer, name),
                    strides=list(layer.stride),
                    pads=[layer.padding[0]] * 4,
                )
            case nn.BatchNorm2d():
                return self._normalized(inputs[0], layer)
            case nn.ReLU():
                return self.b.op("Relu", inputs[0])
            case _ if hasattr(layer, "norm"):  # a block of the U-Net
                features, known = self._partial(name, layer, inputs[0])
                if layer.norm is not None:
                    features = self._normalized(features, layer.norm)
                return Known(self._activated(features, layer.activation), known)
        raise AssertionError(f"no operator of ONNX for {type(layer).__name__}")

    def _convolution(self, name: str, layer: Convolution, x: Any) -> Any:
        if layer.kind == "partial":
            carried = isinstance(x, Known)
            if not carried:
                x = Known(x, self._ones(x))
            if layer.upsample:
                x = Known(*(self._doubled(part) for part in x))
            features, known = self._partial(name, layer, x)
            features = self._activated(features, layer.activation)
            return Known(features, known) if carried else features
        x = self._doubled(x) if layer.upsample else x
        x = self._conv(x, layer, name, rule=layer.padding)
        if layer.kind == "vanilla":
            return self._activated(x, layer.activation)
        gates = layer.weight.shape[0] - layer.width
        features, gate = self.b.op(
            "Split", x, self.b.integers(layer.width, gates), outputs=2, axis=1
        )
        return self.b.mul(self._activated(features, layer.activation), self.b.op("Sigmoid", gate))

    def _conv(self, x: str, layer: Any, name: str, *, rule: Padding, bias: bool = True) -> str:
        return self._sliding(x, self._weights(layer, name, bias), layer, rule)

    def _sliding(self, x: str, weights: list[str], layer: Any, rule: Padding) -> str:
        """Add a convolution under a padding rule, for maps whose sides every stride divides."""
        kernel = layer.weight.shape[-1]
        stride, dilation = _number(layer.stride), _number(getattr(layer, "dilation", 1))
        how: dict[str, Any] = {"strides": [stride] * 2, "dilations": [dilation] * 2}
        reach = dilation * (kernel - 1) // 2
        before, after = reach, reach
        if rule == "same":
            if stride > 1 and dilation == 1:  # valid for odd sides as well
                return str(self.b.op("Conv", x, *weights, auto_pad="SAME_UPPER", **how))
            before, after = same_padding(EVEN, kernel, stride, dilation)
        if rule == "reflect":
            for axis in (2, 3):
                x = _reflected(self.b, x, axis, before)
            before = after = 0
        return str(self.b.op("Conv", x, *weights, pads=[before, before, after, after], **how))

    def _partial(self, name: str, layer: Any, x: Known) -> Known:
        """Add a partial convolution: equations 1 and 2 of arXiv 1804.07723."""
        b, kernel = self.b, layer.weight.shape[-1]
        counted = layer.weight.shape[1] if self._planes(x) > 1 else 1
        rule: Padding = "symmetric" if layer.padding == "reflect" else layer.padding
        ones = b.constant(np.ones((1, counted, kernel, kernel)))
        count = self._sliding(x.known, [ones], layer, rule)
        seen = b.cast(b.op("Greater", count, b.constant(0.0)), TensorProto.FLOAT)
        window = b.constant(float(kernel * kernel * counted))
        scale = b.mul(b.div(window, b.op("Max", count, b.constant(1.0))), seen)
        features = self._conv(
            b.mul(x.features, x.known), layer, name, rule=layer.padding, bias=False
        )
        features = b.mul(features, scale)
        if layer.bias is not None:
            bias = b.constant(layer.bias.detach().float().numpy().reshape(1, -1, 1, 1))
            features = b.add(features, b.mul(bias, seen))
        return Known(features, seen)

    def _planes(self, x: Known) -> int:
        """Return the planes of a mask: one, or after a join one per channel."""
        return 2 if x in self._joins else 1

    @property
    def _joins(self) -> list[Known]:
        return [
            self.values[name]
            for name, layer in self.graph.modules.items()
            if isinstance(layer, Joined) and name in self.values
        ]

    def _joined(self, x: Known, skip: Known) -> Known:
        b = self.b
        sides = [b.side(skip.features, axis) for axis in (2, 3)]
        parts = []
        for part in x:
            doubled = self._doubled(part)
            for axis, size in zip((2, 3), sides, strict=True):
                doubled = b.cut(doubled, axis, b.integers(0), size)
            parts.append(doubled)
        known = [
            b.op("Expand", mask, b.op("Shape", features))
            for features, mask in ((parts[0], parts[1]), (skip.features, skip.known))
        ]
        features = b.op("Concat", parts[0], skip.features, axis=1)
        return Known(features, b.op("Concat", *known, axis=1))

    def _normalized(self, x: str, layer: nn.BatchNorm2d) -> str:
        rows = (layer.weight, layer.bias, layer.running_mean, layer.running_var)
        values = [self.b.constant(_array(cast(Tensor, row))) for row in rows]
        return str(self.b.op("BatchNormalization", x, *values, epsilon=layer.eps))

    def _activated(self, x: str, activation: Activation) -> str:
        match activation:
            case "elu":
                # onnxruntime's Elu takes twice the time of these four, which are vectorized
                b, zero, one = self.b, self.b.constant(0.0), self.b.constant(1.0)
                below = b.sub(b.op("Exp", b.op("Min", x, zero)), one)
                return str(b.op("Max", x, below))
            case "relu":
                return str(self.b.op("Relu", x))
            case "leaky_relu":
                return str(self.b.op("LeakyRelu", x, alpha=0.2))
            case "none":
                return x

    def _doubled(self, x: str) -> str:
        return str(
            self.b.op(
                "Resize",
                x,
                "",
                self.b.constant([1.0, 1.0, 2.0, 2.0]),
                mode="nearest",
                coordinate_transformation_mode="asymmetric",
                nearest_mode="floor",
            )
        )

    def _ones(self, x: str) -> str:
        """Add a plane of ones with the size of a map."""
        first = self.b.cut(x, 1, self.b.integers(0), self.b.integers(1))
        return self.b.add(self.b.mul(first, self.b.constant(0.0)), self.b.constant(1.0))

    def _weights(self, layer: Any, name: str, bias: bool = True) -> list[str]:
        weight = self.b.weights(_array(layer.weight), f"{name}.weight")
        if layer.bias is None or not bias:
            return [weight]
        return [weight, self.b.constant(_array(layer.bias))]

    def _operation(self, node: fx.Node) -> Any:
        """Add a step that is not a layer."""
        arguments = [self._argument(each) for each in node.args]
        target: Any = node.target
        if target is getattr:
            return getattr(arguments[0], arguments[1])
        if target is operator.getitem:
            return arguments[0][arguments[1]]
        if target is Masked:
            return Known(*arguments)
        if target is torch.cat:
            return self.b.op("Concat", *arguments[0], axis=node.kwargs["dim"])
        if target is torch.ones_like:
            return self._ones(arguments[0])
        if target in ("clamp", torch.clamp):
            low, high = (self.b.constant(value) for value in arguments[1:])
            return self.b.op("Clip", arguments[0], low, high)
        kinds: dict[Any, str] = {
            operator.add: "Add",
            operator.sub: "Sub",
            operator.mul: "Mul",
            operator.truediv: "Div",
            torch.add: "Add",
            torch.sub: "Sub",
            torch.mul: "Mul",
            "mul": "Mul",  # product of a buffer and a map
            torch.tanh: "Tanh",
            torch.sigmoid: "Sigmoid",
        }
        if target not in kinds:
            raise AssertionError(f"no operator of ONNX for {target}")
        names = [each if isinstance(each, str) else self.b.constant(each) for each in arguments]
        return self.b.op(kinds[target], *names)

    def _argument(self, value: Any) -> Any:
        if isinstance(value, fx.Node):
            return self.given[value.name]
        if isinstance(value, (list, tuple)):
            return [self._argument(each) for each in value]
        return value


def _array(value: Tensor) -> np.ndarray:
    array: np.ndarray = value.detach().float().cpu().numpy()
    return array


def _number(value: Any) -> int:
    return int(value[0] if isinstance(value, tuple) else value)


def _reflected(b: Builder, x: str, axis: int, reach: int) -> str:
    """Reflect a map at both ends of an axis, repeatedly if `reach` is longer than the axis.

    ONNX's own padding reflects once, which is not enough for dilated layers on small frames.
    """
    last = b.op("Squeeze", b.op("Sub", b.side(x, axis), b.integers(1)))
    one = b.constant(1, np.int64)
    stop = b.op("Add", last, b.constant(1 + reach, np.int64))
    places = b.op("Range", b.constant(-reach, np.int64), stop, one)
    # A triangle wave whose period is the way to the last index and back.
    period = b.op("Max", b.op("Add", last, last), one)
    back = b.op("Abs", b.op("Sub", last, b.op("Mod", places, period)))
    return str(b.op("Gather", x, b.op("Sub", last, back), axis=axis))
