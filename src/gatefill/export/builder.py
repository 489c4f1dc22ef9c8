"""Builds ONNX graphs, one operation at a time."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

OPSET = 17
Storage = Literal["float32", "float16", "int8"]
"""Number format of weights in the file; sums are always float32."""


class Builder:
    """Collects the nodes and constants of a graph. Values are identified by name."""

    def __init__(self, storage: Storage = "float32", exact: tuple[str, ...] = ()) -> None:
        """storage: format of weights, except for layers whose names start with one of `exact`."""
        self.storage = storage
        self.exact = exact
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[tuple[Any, ...], str] = {}
        self._initializers: list[onnx.TensorProto] = []

    def op(self, kind: str, *inputs: str, outputs: int = 1, **attributes: Any) -> Any:
        """Add an operation; returns the name of its output, or a list of names."""
        number = len(self._nodes)
        names = [f"{kind.lower()}_{number}_{i}" for i in range(outputs)]
        self._nodes.append(helper.make_node(kind, list(inputs), names, **attributes))
        return names[0] if outputs == 1 else names

    def constant(self, values: Any, dtype: Any = np.float32) -> str:
        """Add a small constant; equal ones are shared."""
        array = np.asarray(values, dtype)
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._constants:
            self._constants[key] = self._initializer(array, f"constant_{len(self._constants)}")
        return self._constants[key]

    def integers(self, *values: int) -> str:
        """Add a vector of int64."""
        return self.constant(values, np.int64)

    def weights(self, array: NDArray[np.float32], name: str) -> str:
        """Add the weights of a layer, ``O...``, in the builder's storage format."""
        storage = "float32" if name.startswith(self.exact) else self.storage
        if storage == "float16":
            stored = self._initializer(array.astype(np.float16), name)
            return str(self.op("Cast", stored, to=TensorProto.FLOAT))
        if storage == "int8" and array.ndim > 1:
            largest = np.abs(array.reshape(len(array), -1)).max(axis=1)
            scale = (np.maximum(largest, 1e-12) / 127.0).astype(np.float32)
            levels = np.rint(array / scale.reshape(-1, *[1] * (array.ndim - 1)))
            stored = self._initializer(levels.clip(-127, 127).astype(np.int8), name)
            zeros = self.constant(np.zeros(len(array)), np.int8)
            return str(self.op("DequantizeLinear", stored, self.constant(scale), zeros, axis=0))
        return self._initializer(array.astype(np.float32), name)

    def _initializer(self, array: NDArray[Any], name: str) -> str:
        self._initializers.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def rename(self, value: str, name: str) -> str:
        """Give a value the name of an output."""
        self._nodes.append(helper.make_node("Identity", [value], [name]))
        return name

    # Operations and shapes that are used frequently.

    def add(self, a: str, b: str) -> str:
        return str(self.op("Add", a, b))

    def sub(self, a: str, b: str) -> str:
        return str(self.op("Sub", a, b))

    def mul(self, a: str, b: str) -> str:
        return str(self.op("Mul", a, b))

    def div(self, a: str, b: str) -> str:
        return str(self.op("Div", a, b))

    def side(self, value: str, axis: int) -> str:
        """Return the length of an axis, a vector of one int64."""
        shape = self.op("Shape", value)
        return str(self.op("Gather", shape, self.integers(axis), axis=0))

    def join(self, *parts: str) -> str:
        """Concatenate vectors of int64."""
        return str(self.op("Concat", *parts, axis=0))

    def cut(self, value: str, axis: int, start: str, stop: str) -> str:
        """Slice an axis; start and stop are vectors of one int64."""
        return str(self.op("Slice", value, start, stop, self.integers(axis)))

    def cast(self, value: str, dtype: int) -> str:
        return str(self.op("Cast", value, to=dtype))

    def model(
        self,
        inputs: dict[str, tuple[int, list[str | int]]],
        outputs: dict[str, tuple[int, list[str | int]]],
        metadata: dict[str, str],
    ) -> onnx.ModelProto:
        """Return the checked model. inputs, outputs: type and axes by name."""

        def infos(values: dict[str, tuple[int, list[str | int]]]) -> list[onnx.ValueInfoProto]:
            return [
                helper.make_tensor_value_info(name, kind, axes)
                for name, (kind, axes) in values.items()
            ]

        graph = helper.make_graph(
            self._nodes, "gatefill", infos(inputs), infos(outputs), self._initializers
        )
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="gatefill"
        )
        model.ir_version = 8  # the version of opset 17; older runtimes refuse newer versions
        helper.set_model_props(model, metadata)
        onnx.checker.check_model(model)
        return model
