"""Contextual attention in ONNX operators; see `gatefill.layers.contextual_attention`.

The table of all pairs of cells is a tensor of foreground row, column, background row, column.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from onnx import TensorProto

from gatefill.export.builder import Builder
from gatefill.layers.contextual_attention import ContextualAttention
from gatefill.layers.padding import Resizing

REACH = 4  # cells around a hole on which its pixels depend through the decoder


class AttendedCells(NamedTuple):
    """Names of the output values."""

    features: str  # 1CHW, 0 far from holes
    sources: str  # hwK int64, row * width + column
    weights: str  # hwK


def attend(
    b: Builder, layer: ContextualAttention, features: str, mask: str, places: int
) -> AttendedCells:
    """Add attention of a map ``1CHW`` with itself; mask: ``11`` 4H 4W, 1 = hole."""
    one, two = b.integers(1), b.integers(2)
    height, width = b.side(features, 2), b.side(features, 3)
    h, w = b.op("Div", height, two), b.op("Div", width, two)
    n = b.op("Mul", h, w)
    small = _resized(b, features, h, w, layer.resizing)
    channels = b.side(features, 1)
    hole = mask
    if layer.mask_steps == 2:
        hole = _resized(b, hole, height, width, layer.resizing)
    hole = _resized(b, hole, h, w, layer.resizing)

    # scores
    norm = b.op("Mul", small, small)
    norm = b.op("ReduceSum", norm, one, keepdims=1)
    ones = b.constant(np.ones((1, 1, 3, 3)))
    norm = b.op("Conv", norm, ones, pads=[1, 1, 1, 1])
    norm = b.op("Sqrt", b.op("Max", norm, b.constant(1e-8)))
    touched = b.op("MaxPool", hole, kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    valid = b.cast(b.op("Equal", touched, b.constant(0.0)), TensorProto.FLOAT)
    flat = b.op("Reshape", small, b.join(channels, n))
    table = b.op("MatMul", b.op("Transpose", flat, perm=[1, 0]), flat)
    grid = b.join(h, w, h, w)
    table = b.op("Reshape", table, grid)
    table = _three_diagonals(b, _three_diagonals(b, table, 1, 3, w, w), 0, 2, h, h)
    table = b.div(table, norm)  # 11hw, as of the background
    if layer.fuse:
        # Cells in row-major order, then in column-major order.
        for _ in range(2):
            table = b.op("Reshape", table, b.join(n, n))
            table = _three_diagonals(b, table, 0, 1, n, n)
            table = b.op("Reshape", table, grid)
            table = b.op("Transpose", table, perm=[1, 0, 3, 2])
            h, w = w, h
            grid = b.join(h, w, h, w)

    # Attention of the cells that holes depend on.
    held = b.op("MaxPool", mask, kernel_shape=[8, 8], strides=[8, 8])
    rows, columns = _near(b, held, h, 2), _near(b, held, w, 3)
    table = b.cut(b.cut(table, 0, *rows), 1, *columns)
    tall, wide = b.op("Sub", rows[1], rows[0]), b.op("Sub", columns[1], columns[0])
    table = b.op("Reshape", table, b.join(b.op("Mul", tall, wide), n))
    valid = b.op("Reshape", valid, b.join(one, n))
    sharp = b.mul(valid, b.constant(layer.softmax_scale))
    table = b.mul(table, sharp)
    if layer.exclude:  # far below any score, so that they do not contribute to the sum
        barred = b.mul(b.op("Sub", b.constant(1.0), valid), b.constant(-1e9))
        table = b.add(table, barred)
    weights = b.mul(b.op("Softmax", table, axis=-1), valid)
    strengths, sources = b.op(
        "TopK", weights, b.op("Min", b.integers(places), n), outputs=2, axis=-1
    )

    # Paste 4x4 patches at stride 2: a transposed convolution with all patches, as a matrix product
    # and an overlapping sum.
    patches = _patches(b, features, h, w, channels, n)
    pasted = b.op("MatMul", weights, patches)  # cells, C * 4 * 4
    sixteen = b.integers(4, 4)
    pasted = b.op("Reshape", pasted, b.join(tall, wide, channels, sixteen))
    out = _overlapped(b, pasted)
    out = b.div(out, b.constant(4.0))
    outside = b.op("Sub", h, rows[1]), b.op("Sub", w, columns[1])
    zero = b.integers(0, 0)
    doubled = [b.op("Mul", each, two) for each in (rows[0], columns[0], *outside)]
    out = b.op("Pad", out, b.join(zero, *doubled[:2], zero, *doubled[2:]))
    if layer.even:
        for axis, size in ((2, height), (3, width)):
            out = b.mul(out, _border_gain(b, size, axis))
    found = b.join(tall, wide, b.integers(-1))
    cells = [b.op("Reshape", part, found) for part in (sources, strengths)]
    around = b.join(rows[0], columns[0], b.integers(0), *outside, b.integers(0))
    return AttendedCells(out, *(b.op("Pad", part, around) for part in cells))


def _border_gain(b: Builder, size: str, axis: int) -> str:
    """Return 2 at both ends of an axis of ``1CHW`` and 1 between, as a factor on the map."""
    last = b.op("Sub", size, b.integers(1))
    stop = b.op("Squeeze", size)
    places = b.op("Range", b.constant(0, np.int64), stop, b.constant(1, np.int64))
    ends = b.op("Or", b.op("Equal", places, b.integers(0)), b.op("Equal", places, last))
    gain = b.add(b.cast(ends, TensorProto.FLOAT), b.constant(1.0))
    return str(b.op("Unsqueeze", gain, b.integers(*(each for each in range(4) if each != axis))))


def _resized(b: Builder, x: str, height: str, width: str, rule: Resizing) -> str:
    """Resize a map by nearest neighbor, with the pixels of `source_indices`."""
    for axis, size in ((2, height), (3, width)):
        before = b.side(x, axis)
        scalar = b.op("Squeeze", size)
        places = b.op("Range", b.constant(0, np.int64), scalar, b.constant(1, np.int64))
        if rule == "floor":
            picked = b.op("Div", b.op("Mul", places, before), size)
        else:
            steps = b.op("Max", b.op("Sub", size, b.integers(1)), b.integers(1))
            scale = b.div(
                b.cast(b.op("Sub", before, b.integers(1)), TensorProto.FLOAT),
                b.cast(steps, TensorProto.FLOAT),
            )
            moved = b.add(b.mul(b.cast(places, TensorProto.FLOAT), scale), b.constant(0.5))
            picked = b.cast(b.op("Floor", moved), TensorProto.INT64)
        x = b.op("Gather", x, picked, axis=axis)
    return x


def _three_diagonals(b: Builder, table: str, f: int, g: int, rows: str, columns: str) -> str:
    """Sum the table and its two neighbors along the diagonal of two axes."""
    total = table
    for step in (-1, 1):
        # Crop one element at one end and pad one at the other, along both axes.
        part = table
        for axis, size in ((f, rows), (g, columns)):
            start = b.integers(max(step, 0))
            stop = b.op("Sub", size, b.integers(max(-step, 0)))
            part = b.cut(part, axis, start, stop)
        axes = 2 if {f, g} == {0, 1} else 4
        pads = np.zeros((2, axes), np.int64)
        pads[0 if step < 0 else 1, [f, g]] = 1
        total = b.add(total, b.op("Pad", part, b.integers(*pads.flatten().tolist())))
    return total


def _near(b: Builder, held: str, size: str, axis: int) -> tuple[str, str]:
    """Return first and end of the cells near holes along an axis of ``11hw``, as vectors of one."""
    held = b.op("ReduceMax", held, axes=[each for each in (0, 1, 2, 3) if each != axis], keepdims=0)
    first = b.op("ArgMax", held, axis=0, keepdims=1)
    last = b.op("ArgMax", held, axis=0, keepdims=1, select_last_index=1)
    reach = b.integers(REACH)
    start = b.op("Max", b.op("Sub", first, reach), b.integers(0))
    stop = b.op("Min", b.op("Add", b.op("Add", last, b.integers(1)), reach), size)
    return start, stop


def _patches(b: Builder, features: str, h: str, w: str, channels: str, n: str) -> str:
    """Return the 4x4 patches at stride 2, one row each: ``N`` x ``C`` * 4 * 4."""
    framed = b.op("Pad", features, b.integers(0, 0, 1, 1, 0, 0, 1, 1))
    parts = []
    for y in range(4):
        for x in range(4):
            part = b.op(
                "Slice",
                framed,
                b.integers(y, x),
                b.op(
                    "Add",
                    b.join(b.op("Mul", h, b.integers(2)), b.op("Mul", w, b.integers(2))),
                    b.integers(y, x),
                ),
                b.integers(2, 3),
                b.integers(2, 2),
            )
            parts.append(b.op("Reshape", part, b.join(channels, n, b.integers(1))))
    stacked = b.op("Concat", *parts, axis=2)  # C, N, 16
    rows = b.op("Transpose", stacked, perm=[1, 0, 2])
    return str(b.op("Reshape", rows, b.join(n, b.integers(-1))))


def _overlapped(b: Builder, pasted: str) -> str:
    """Add up overlapping patches of cells ``h w C 4 4``: ``1C`` 2h 2w.

    The middle 2x2 of a patch is on its own cell, the rest on the eight cells around it.
    """
    total = ""
    for y, down in ((slice(0, 1), -1), (slice(1, 3), 0), (slice(3, 4), 1)):
        for x, right in ((slice(0, 1), -1), (slice(1, 3), 0), (slice(3, 4), 1)):
            part = b.op(
                "Slice",
                pasted,
                b.integers(y.start, x.start),
                b.integers(y.stop, x.stop),
                b.integers(3, 4),
            )
            # Row in its cell: the row below a patch's middle is the upper one of the next cell.
            spot = [1 if down < 0 else 0, 1 if right < 0 else 0]
            pads = [0, 0, 0, *spot, 0, 0, 0]
            pads += [2 - spot[0] - (y.stop - y.start), 2 - spot[1] - (x.stop - x.start)]
            part = b.op("Pad", part, b.integers(*pads))
            for axis, step in ((0, down), (1, right)):
                if step:
                    size = b.side(part, axis)
                    start = b.integers(max(-step, 0))
                    stop = b.op("Sub", size, b.integers(max(step, 0)))
                    moved = np.zeros((2, 5), np.int64)
                    moved[0 if step > 0 else 1, axis] = 1
                    part = b.cut(part, axis, start, stop)
                    part = b.op("Pad", part, b.integers(*moved.flatten().tolist()))
            total = part if not total else b.add(total, part)
    wide = b.op("Transpose", total, perm=[2, 0, 3, 1, 4])  # C h 2 w 2
    shape = b.op("Shape", wide)
    two = b.integers(2)
    sides = [b.op("Mul", b.op("Gather", shape, b.integers(i), axis=0), two) for i in (1, 3)]
    channels = b.op("Gather", shape, b.integers(0), axis=0)
    return str(b.op("Reshape", wide, b.join(b.integers(1), channels, *sides)))
