"""The weighted mean of a row of votes, by vector instructions.

A plain loop computes one weight after another, each with a division; here are four at a time.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from gatefill.compiling import emitted

LANES = 4  # votes whose weights are computed at a time; also the numbers per color
MARGIN = LANES  # numbers that may be read after the last vote


@emitted
def weighted_row() -> Any:
    """Sum the colors of neighboring votes, weighted with ``1 / (1 + u + u * u)``.

    Arguments: ``cost, shift, smooth, first, count, place, least, gain``: flat float32 and int32,
    with `MARGIN` numbers after the last vote; flat float32, four numbers per color; index of the
    first vote; number of votes; the color at ``place + shift`` is meant; ``u`` is
    ``(cost - least) * gain``. The result is a tuple of four float32.
    """
    types = import_module("numba").types
    intrinsic = import_module("numba.extending").intrinsic
    whole, single = types.int64, types.float32

    @intrinsic  # type: ignore[untyped-decorator]
    def row(
        _: Any,
        cost: Any,
        shift: Any,
        smooth: Any,
        _first: Any,
        _count: Any,
        _place: Any,
        _least: Any,
        _gain: Any,
    ) -> tuple[Any, Callable[..., Any]]:
        result = types.UniTuple(single, LANES)
        return result(cost, shift, smooth, whole, whole, whole, single, single), _emit

    return row


def _emit(context: Any, code: Any, signature: Any, arguments: Any) -> Any:
    """Emit the LLVM code of `weighted_row`."""
    ir = import_module("llvmlite.ir")
    number, place_type, single = ir.IntType(32), ir.IntType(64), ir.FloatType()
    floats, numbers = ir.VectorType(single, LANES), ir.VectorType(number, LANES)
    cost, shift, smooth = (
        context.make_array(kind)(context, code, array).data
        for kind, array in zip(signature.args[:3], arguments[:3], strict=True)
    )
    first, count, place, least, gain = arguments[3:]

    def loaded(data: Any, position: Any, vector: Any) -> Any:
        value = code.load(code.bitcast(code.gep(data, [position]), vector.as_pointer()))
        value.align = 4
        return value

    def spread(value: Any, vector: Any) -> Any:
        undefined = ir.Constant(vector, ir.Undefined)
        one = code.insert_element(undefined, value, number(0))
        return code.shuffle_vector(one, undefined, ir.Constant(numbers, [number(0)] * LANES))

    ones = ir.Constant(floats, [single(1)] * LANES)
    zeros, nowhere = (ir.Constant(kind, None) for kind in (floats, numbers))
    lanes = ir.Constant(numbers, [number(lane) for lane in range(LANES)])
    least, gain = spread(least, floats), spread(gain, floats)

    begin = code.block
    group, done = (code.append_basic_block(name) for name in ("group", "done"))
    code.branch(group)
    code.position_at_end(group)
    at, total = code.phi(place_type), code.phi(floats)
    vote = code.add(first, at)
    fast = ("fast",)
    u = code.fmul(code.fsub(loaded(cost, vote, floats), least, fast), gain, fast)
    weight = code.fdiv(ones, code.fadd(code.fadd(ones, u, fast), code.fmul(u, u, fast), fast), fast)
    left = spread(code.trunc(code.sub(count, at), number), numbers)
    there = code.icmp_signed("<", lanes, left)
    weight = code.select(there, weight, zeros)
    away = code.select(there, loaded(shift, vote, numbers), nowhere)
    sums = total
    for lane in range(LANES):
        to = code.sext(code.extract_element(away, number(lane)), place_type)
        color = loaded(smooth, code.shl(code.add(place, to), place_type(2)), floats)
        share = spread(code.extract_element(weight, number(lane)), floats)
        sums = code.fadd(sums, code.fmul(share, color, fast), fast)
    following = code.add(at, place_type(LANES))
    at.add_incoming(place_type(0), begin)
    at.add_incoming(following, group)
    total.add_incoming(zeros, begin)
    total.add_incoming(sums, group)
    code.cbranch(code.icmp_signed("<", following, count), group, done)
    code.position_at_end(done)
    parts = [code.extract_element(sums, number(lane)) for lane in range(LANES)]
    return context.make_tuple(code, signature.return_type, parts)
