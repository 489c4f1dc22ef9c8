"""Whole ONNX models: a network with conversion of its inputs and outputs.

Two interfaces:

- ``"photo"``: photo uint8 ``HW3`` and mask uint8 ``HW`` (128 and more = hole) of any size in, the
  filled photo uint8 ``HW3`` out; known pixels are unchanged. DeepFill v2's color correction at the
  hole's boundary is included if the weights file asks for it; Global & Local's blending, which uses
  OpenCV, is not.
- ``"frame"``: the form that `gatefill.runtime.onnx` runs. Inputs: image float32 ``HW3`` in [0, 1]
and
  mask bool ``HW`` with sides that are multiples of the number in the metadata. Outputs: the
  network's frames and attention.

A guided network has ``sketch`` as an additional input, of the mask's type.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import onnx
from onnx import TensorProto
from torch import nn

from gatefill.export.builder import Builder, Storage
from gatefill.export.network import NetworkWriter
from gatefill.export.rim import even_miss
from gatefill.runtime.graph import trace

Interface = Literal["photo", "frame"]


def onnx_model(
    network: nn.Module,
    metadata: dict[str, str],
    *,
    interface: Interface = "photo",
    storage: Storage = "float32",
    exact: tuple[str, ...] = (),
    finish: bool = False,
) -> onnx.ModelProto:
    """Make an ONNX model of a network.

    Args:
        network: The network, on the CPU in float32.
        metadata: Text to store in the file; the required multiple is added.
        interface: Inputs and outputs, see above.
        storage: Number format of weights in the file.
        exact: Prefixes of the names of layers whose weights stay float32.
        finish: Whether to correct the colors at the hole's boundary, as for DeepFill v2; for photos
            only, since gatefill itself does that after a frame.

    Returns:
        The model.
    """
    settings: Any = network
    multiple: int = settings.multiple
    config = settings.config
    guided: bool = getattr(config, "guided", False)
    b = Builder(storage, exact)
    planes = ["mask", "sketch"] if guided else ["mask"]
    image = "image" if interface == "frame" else "photo"

    # inputs
    height, width = b.side(image, 0), b.side(image, 1)
    pixels = image
    if interface == "photo":
        pixels = b.div(b.cast(image, TensorProto.FLOAT), b.constant(255.0))
    given = {"image": _frame(b, _padded(b, pixels, height, width, multiple), config.channel_order)}
    holes = {}
    for name in planes:
        hole = name
        if interface == "photo":
            # As float: onnxruntime 1.19 cannot compare bytes.
            hole = b.op("Greater", b.cast(name, TensorProto.FLOAT), b.constant(127.5))
        holes[name] = b.cast(hole, TensorProto.FLOAT)
        plane = _padded(b, holes[name], height, width, multiple)
        given[name] = b.op("Unsqueeze", plane, b.integers(0, 1))

    found = NetworkWriter(b, trace(network)).write(given)

    # outputs
    three: list[str | int] = ["height", "width", 3]
    outputs: dict[str, tuple[int, list[str | int]]] = {}
    filled = _picture(b, found["image"], config.channel_order)
    if interface == "photo":
        filled = b.cut(b.cut(filled, 0, b.integers(0), height), 1, b.integers(0), width)
        if finish:
            filled = even_miss(b, filled, pixels, holes["mask"])
        levels = b.op("Round", b.mul(filled, b.constant(255.0)))
        levels = b.cast(levels, TensorProto.UINT8)
        inside = b.op("Unsqueeze", b.op("Greater", holes["mask"], b.constant(0.5)), b.integers(2))
        b.rename(b.op("Where", inside, levels, image), "filled")
        outputs["filled"] = (TensorProto.UINT8, three)
    else:
        b.rename(filled, "filled")
        outputs["filled"] = (TensorProto.FLOAT, three)
        if "coarse" in found:
            b.rename(_picture(b, found["coarse"], config.channel_order), "coarse")
            outputs["coarse"] = (TensorProto.FLOAT, three)
        if "attention" in found:
            cells: list[str | int] = ["rows", "columns", "places"]
            b.rename(found["attention"].sources, "sources")
            b.rename(found["attention"].weights, "weights")
            outputs["sources"] = (TensorProto.INT64, cells)
            outputs["weights"] = (TensorProto.FLOAT, cells)

    plane_type = TensorProto.UINT8 if interface == "photo" else TensorProto.BOOL
    image_type = TensorProto.UINT8 if interface == "photo" else TensorProto.FLOAT
    inputs: dict[str, tuple[int, list[str | int]]] = {image: (image_type, three)}
    inputs |= {name: (plane_type, ["height", "width"]) for name in planes}
    return b.model(inputs, outputs, metadata | {"multiple": str(multiple), "interface": interface})


def _padded(b: Builder, plane: str, height: str, width: str, multiple: int) -> str:
    """Pad ``HW...`` at the bottom and right, like `gatefill.geometry.pad_to_multiple`."""
    if multiple == 1:
        return plane
    step, one = b.integers(multiple), b.integers(1)
    for axis, size in ((0, height), (1, width)):
        up = b.op("Sub", b.op("Add", size, step), one)
        whole = b.op("Mul", b.op("Div", up, step), step)
        end = b.op("Squeeze", whole)
        places = b.op("Range", b.constant(0, np.int64), end, b.constant(1, np.int64))
        # Reflected without the edge, as far as that reaches, then repeated edge pixels.
        last = b.op("Sub", size, one)
        mirrored = b.op("Sub", b.op("Mul", last, b.integers(2)), places)
        places = b.op("Max", b.op("Min", places, mirrored), b.integers(0))
        plane = b.op("Gather", plane, places, axis=axis)
    return plane


def _frame(b: Builder, pixels: str, order: str) -> str:
    """Convert ``HW3`` RGB in [0, 1] to ``13HW`` in [-1, 1] in the network's channel order."""
    planes = b.op("Unsqueeze", b.op("Transpose", pixels, perm=[2, 0, 1]), b.integers(0))
    return b.sub(b.mul(_ordered(b, planes, order), b.constant(2.0)), b.constant(1.0))


def _picture(b: Builder, frame: str, order: str) -> str:
    """Convert a frame back to ``HW3`` RGB, clipped to [0, 1]."""
    frame = b.op("Clip", _ordered(b, frame, order), b.constant(-1.0), b.constant(1.0))
    frame = b.add(b.div(frame, b.constant(2.0)), b.constant(0.5))
    return str(b.op("Transpose", b.op("Squeeze", frame, b.integers(0)), perm=[1, 2, 0]))


def _ordered(b: Builder, frame: str, order: str) -> str:
    if order == "rgb":
        return frame
    return str(b.op("Gather", frame, b.integers(2, 1, 0), axis=1))
