"""The distance of two patches, by vector instructions.

Computing distances is most of the work of a search. A plain loop is compiled to vector instructions
as well, but takes twice the time: a row of a patch is short, and rarely a multiple of a vector. The
code is therefore given as LLVM code: 32 bytes at a time, with bytes after the end of a row masked.
Comparing the sum with the bound takes as long as two rows, as the processor has to guess the
outcome: it is done after the third row, then after every fourth, and after the last.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from gatefill.compiling import emitted

LANES = 32  # bytes compared at a time
MARGIN = LANES  # bytes that may be read after a patch's last one


@emitted
def squared_distance() -> Any:
    """Sum of squared differences of two patches of bytes, stopped at a bound.

    Arguments: ``features, stride, a, b, side, length, bound``: flat uint8, with `MARGIN` bytes
        after
    the last patch; bytes per row of the features; offsets of the two patches; their number of rows,
    and bytes per row; int32. The result is exact below the bound, else not less than the bound.
    """
    types = import_module("numba").types
    intrinsic = import_module("numba.extending").intrinsic

    @intrinsic  # type: ignore[untyped-decorator]
    def distance(
        _: Any, features: Any, _stride: Any, _a: Any, _b: Any, _side: Any, _length: Any, _bound: Any
    ) -> tuple[Any, Callable[..., Any]]:
        int64 = types.int64
        return types.int32(features, int64, int64, int64, int64, int64, types.int32), _emit

    return distance


def _emit(context: Any, code: Any, signature: Any, arguments: Any) -> Any:
    """Emit the LLVM code of `squared_distance`."""
    ir = import_module("llvmlite.ir")
    features, stride, a, b, side, length, bound = arguments
    data = context.make_array(signature.args[0])(context, code, features).data
    byte, short, number, place = (ir.IntType(bits) for bits in (8, 16, 32, 64))
    bytes_ = ir.VectorType(byte, LANES)
    sums = ir.VectorType(number, LANES // 2)

    def taken(vector: Any, lanes: range | list[int]) -> Any:
        """Select some lanes of a vector."""
        indices = ir.Constant(ir.VectorType(number, len(lanes)), [number(lane) for lane in lanes])
        return code.shuffle_vector(vector, ir.Constant(vector.type, ir.Undefined), indices)

    def loaded(position: Any) -> Any:
        pointer = code.bitcast(code.gep(data, [position]), bytes_.as_pointer())
        vector = code.load(pointer)
        vector.align = 1
        return vector

    def squares(first: Any, second: Any) -> Any:
        """Compute sums of two squared differences each."""
        wide = ir.VectorType(short, LANES)
        apart = code.sub(code.zext(first, wide), code.zext(second, wide))
        apart = code.sext(apart, ir.VectorType(number, LANES))
        apart = code.mul(apart, apart)
        return code.add(taken(apart, range(0, LANES, 2)), taken(apart, range(1, LANES, 2)))

    rest = code.and_(
        code.sub(length, place(1)), place(LANES - 1)
    )  # last used lane of the last vector
    before = code.sub(code.sub(length, place(1)), rest)  # bytes before that vector
    undefined = ir.Constant(bytes_, ir.Undefined)
    last = taken(code.insert_element(undefined, code.trunc(rest, byte), number(0)), [0] * LANES)
    lanes = ir.Constant(bytes_, [byte(lane) for lane in range(LANES)])
    mask = code.sext(code.icmp_unsigned("<=", lanes, last), bytes_)

    begin = code.block
    row, vector, end, checked, done = (
        code.append_basic_block(name) for name in ("row", "vector", "end", "checked", "done")
    )
    code.branch(row)
    code.position_at_end(row)
    count, here, there = code.phi(place), code.phi(place), code.phi(place)
    total = code.phi(sums)
    some = code.icmp_signed(">", before, place(0))
    code.cbranch(some, vector, end)

    code.position_at_end(vector)
    offset, inner = code.phi(place), code.phi(sums)
    more = code.add(inner, squares(loaded(code.add(here, offset)), loaded(code.add(there, offset))))
    next_offset = code.add(offset, place(LANES))
    offset.add_incoming(place(0), row)
    offset.add_incoming(next_offset, vector)
    inner.add_incoming(total, row)
    inner.add_incoming(more, vector)
    code.cbranch(code.icmp_signed("<", next_offset, before), vector, end)

    code.position_at_end(end)
    so_far = code.phi(sums)
    so_far.add_incoming(total, row)
    so_far.add_incoming(more, vector)
    first, second = (code.and_(loaded(code.add(each, before)), mask) for each in (here, there))
    so_far_all = code.add(so_far, squares(first, second))
    next_count = code.add(count, place(1))
    following = code.add(here, stride), code.add(there, stride)
    unchecked = code.and_(
        code.icmp_signed("<", next_count, side),
        code.icmp_signed("!=", code.and_(count, place(3)), place(2)),
    )
    code.cbranch(unchecked, row, checked)

    code.position_at_end(checked)
    lane_sum = so_far_all
    half = LANES // 2
    while half > 1:
        half //= 2
        lane_sum = code.add(taken(lane_sum, range(half)), taken(lane_sum, range(half, 2 * half)))
    result = code.extract_element(lane_sum, number(0))
    for phi, start, value in (
        (count, place(0), next_count),
        (here, a, following[0]),
        (there, b, following[1]),
        (total, ir.Constant(sums, [number(0)] * (LANES // 2)), so_far_all),
    ):
        phi.add_incoming(start, begin)
        phi.add_incoming(value, end)
        phi.add_incoming(value, checked)
    again = code.and_(code.icmp_signed("<", next_count, side), code.icmp_signed("<", result, bound))
    code.cbranch(again, row, done)
    code.position_at_end(done)
    return result
