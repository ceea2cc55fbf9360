"""Scores that are counted as they come, written as vectors for LLVM: how many items stand above a phone's target."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils

from chordsim.kernels.native.vector import COLUMNS, FLOAT, INT, LANES, LONG, ROWS, Build, emitted

_VECTOR, _COUNTS, _FLAGS = ir.VectorType(FLOAT, LANES), ir.VectorType(INT, LANES), ir.VectorType(ir.IntType(1), LANES)
_STEP = 4 * LANES


@emitted
def tally(_typing: Any, width: Any, x: Any, stride: Any, rows: Any, count: Any, wanted: Any, words: Any, above: Any, equal: Any) -> Any:
    """Score 4 items for some phones and count those that stand above or level with what each phone wanted.

    Args:
        width: Phones, a multiple of 16 up to `COLUMNS`.
        x: Address of states by column: number k of phone p.
        stride: Bytes from number to number.
        rows: Where the addresses of 4 items' embeddings stand.
        count: How many numbers an embedding has.
        wanted: Address of the score of each phone's target.
        words: Address of one 64-bit word for each item: bit p is set where phone p is not asked for it.
        above: Address of int32 counts.
        equal: Address of int32 counts.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        for columns in range(LANES, COLUMNS + 1, LANES):
            with builder.if_then(builder.icmp_signed("==", arguments[0], ir.Constant(LONG, columns))):
                _tally(Build(builder), columns // LANES, *arguments[1:])
        return context.get_dummy_value()

    return types.void(*[types.intp] * 9), generate


def _tally(build: Build, vectors: int, x: Any, stride: Any, rows: Any, count: Any, wanted: Any, words: Any, above: Any, equal: Any) -> None:
    builder = build.builder
    items = [build.long(rows, r) for r in range(ROWS)]
    cells = [(r, v) for r in range(ROWS) for v in range(vectors)]
    sums = {cell: cgutils.alloca_once(builder, _VECTOR) for cell in cells}
    for total in sums.values():
        builder.store(build.zero(_VECTOR), total)
    with cgutils.for_range(builder, count) as loop:
        at = builder.add(x, builder.mul(loop.index, stride))
        states = [build.load(build.address(at, _STEP * v), _VECTOR) for v in range(vectors)]
        step = builder.mul(loop.index, ir.Constant(LONG, 4))
        factors = [build.splat(build.load(builder.add(item, step), FLOAT), _VECTOR) for item in items]
        for r, v in cells:
            builder.store(build.fma(factors[r], states[v], builder.load(sums[r, v])), sums[r, v])
    for v in range(vectors):
        asked = build.load(build.address(wanted, _STEP * v), _VECTOR)
        counts = [build.load(build.address(place, _STEP * v), _COUNTS) for place in (above, equal)]
        for r in range(ROWS):
            word = builder.lshr(build.long(words, r), ir.Constant(LONG, LANES * v))
            hidden = builder.bitcast(builder.trunc(word, ir.IntType(LANES)), _FLAGS)
            open_ = builder.xor(hidden, ir.Constant(_FLAGS, [1] * LANES))
            for n, sign in enumerate((">", "==")):
                found = builder.and_(builder.fcmp_ordered(sign, builder.load(sums[r, v]), asked), open_)
                counts[n] = builder.sub(counts[n], builder.sext(found, _COUNTS))
        for place, counted in zip((above, equal), counts, strict=True):
            build.store(counted, build.address(place, _STEP * v))


@emitted
def matched(_typing: Any, width: Any, x: Any, y: Any, stride: Any, count: Any, out: Any) -> Any:
    """Write the product of each phone's state with its own item, summed in the order of `tally`.

    Args:
        width: Phones, a multiple of 16.
        x: Address of states by column.
        y: Address of items by column.
        stride: Bytes from number to number, of both.
        count: How many numbers a state has.
        out: Address of the products.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        phones, states, items, stride, count, out = arguments
        build = Build(builder)
        total = cgutils.alloca_once(builder, _VECTOR)
        with cgutils.for_range(builder, builder.sdiv(phones, ir.Constant(LONG, LANES))) as block:
            start = builder.mul(block.index, ir.Constant(LONG, _STEP))
            builder.store(build.zero(_VECTOR), total)
            with cgutils.for_range(builder, count) as loop:
                at = builder.add(start, builder.mul(loop.index, stride))
                a, b = build.load(builder.add(items, at), _VECTOR), build.load(builder.add(states, at), _VECTOR)
                builder.store(build.fma(a, b, builder.load(total)), total)
            build.store(builder.load(total), builder.add(out, start))
        return context.get_dummy_value()

    return types.void(*[types.intp] * 6), generate
