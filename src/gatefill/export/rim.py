"""DeepFill v2's color correction in ONNX operators; see `gatefill.methods.rim`.

Results are equal up to rounding. The pyramid has a fixed number of levels, since a graph does not
know the photo's size; additional levels of a single pixel change nothing.
"""

from __future__ import annotations

import numpy as np
from onnx import TensorProto

from gatefill.export.builder import Builder
from gatefill.methods import pyramid
from gatefill.methods.rim import LARGEST_MISS

LEVELS = 14  # halvings after which a photo of 16,384 pixels a side is a single one


def even_miss(b: Builder, frame: str, image: str, hole: str) -> str:
    """Correct the colors in the hole by the network's error just outside it.

    frame, image: ``HW3`` in [0, 1], output of the network and photo. hole: ``HW`` float, 1 = hole.
    Returns a frame ``HW3`` that is corrected in the hole, and meaningless elsewhere.
    """
    zero, one = b.constant(0.0), b.constant(1.0)
    planes = b.op("Unsqueeze", hole, b.integers(0, 1))  # 11HW
    near = b.op("MaxPool", planes, kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    miss = b.op("Unsqueeze", b.op("Transpose", b.sub(image, frame), perm=[2, 0, 1]), b.integers(0))
    miss = b.op("Clip", miss, b.constant(-LARGEST_MISS), b.constant(LARGEST_MISS))
    known = b.sub(near, planes)  # the ring just outside the hole

    # The pyramid covers the box around hole and ring; without a hole, one pixel.
    before, after = [], []
    for axis in (2, 3):
        line = b.op("ReduceMax", near, axes=[0, 1, 5 - axis], keepdims=0)
        first = b.op("ArgMax", line, axis=0, keepdims=1)
        last = b.op("ArgMax", line, axis=0, keepdims=1, select_last_index=1)
        stop = b.op("Add", last, b.integers(1))
        miss, known = b.cut(miss, axis, first, stop), b.cut(known, axis, first, stop)
        before.append(first)
        after.append(b.op("Sub", b.side(near, axis), stop))
    anywhere = b.op("ReduceMax", known, keepdims=1)  # 0 for a photo that is all hole
    shift = b.mul(_pull_push(b, miss, known), anywhere)
    none = b.integers(0, 0)
    shift = b.op("Pad", shift, b.join(none, *before, none, *after))
    shift = b.op("Transpose", b.op("Squeeze", shift, b.integers(0)), perm=[1, 2, 0])
    return str(b.op("Clip", b.add(frame, shift), zero, one))


def _pull_push(b: Builder, image: str, known: str) -> str:
    """Add `pyramid.pull_push`. image: ``13HW``; known: ``11HW`` float, 1 = known."""
    binomial = np.array([1, 5, 10, 10, 5, 1], np.float32) / 32
    kernel = b.constant(np.tile(np.outer(binomial, binomial), (5, 1, 1, 1)))
    two = b.integers(2)
    levels = []
    for _ in range(LEVELS):
        levels.append((image, known))
        inside = b.add(b.mul(known, b.constant(0.0)), b.constant(1.0))
        planes = b.op("Concat", b.mul(image, known), known, inside, axis=1)
        odd = [b.op("Mod", b.side(planes, axis), two) for axis in (2, 3)]
        planes = b.op("Pad", planes, b.join(b.integers(0, 0, 0, 0, 0, 0), *odd))
        sums = b.op("Conv", planes, kernel, strides=[2, 2], pads=[2, 2, 3, 3], group=5)
        sums, weight, inside = b.op("Split", sums, b.integers(3, 1, 1), outputs=3, axis=1)
        some = b.op("Greater", b.div(weight, inside), b.constant(pyramid.SOME))
        mean = b.div(sums, b.op("Max", weight, b.constant(1e-6)))
        known = b.cast(some, TensorProto.FLOAT)
        image = b.mul(mean, known)
    smooth = image
    for image, known in reversed(levels):
        size = b.op("Shape", image)
        smooth = b.op("Resize", smooth, "", "", size, mode="linear")
        smooth = b.op("Where", b.op("Greater", known, b.constant(0.5)), image, smooth)
    return smooth
