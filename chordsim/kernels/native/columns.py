"""Loops over columns of positions for numba, written as vectors for LLVM: norms, the softmax, and rows turned into columns."""

from __future__ import annotations

import math
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils

from chordsim.kernels.native.vector import COLUMNS, FLOAT, INT, LANES, LONG, ROWS, Build, emitted

_VECTOR, _WHOLE = ir.VectorType(FLOAT, LANES), ir.VectorType(INT, LANES)
#: Bytes of one vector.
_STEP = 4 * LANES
#: What a layer norm adds to the variance, as in torch.
EPSILON = 1e-5
#: Added and taken away again, it rounds to a whole number; below -126 a power of two is 0.
_ROUNDER, _LEAST = 12582912.0, -126.0
#: ln(2)^k / k!, the series of 2^x, from the last term to the first.
_SERIES = tuple(math.log(2) ** k / math.factorial(k) for k in range(7, -1, -1))


def exponential(build: Build, x: Any) -> Any:
    """Return 2^x of a vector of numbers up to 0, within 2 units of the last place; 0 below -126."""
    builder = build.builder
    small = builder.fcmp_ordered("<", x, build.constant(_LEAST))
    kept = builder.select(small, build.constant(_LEAST), x)
    rounder = build.constant(_ROUNDER)
    whole = builder.fsub(builder.fadd(kept, rounder), rounder)
    part = builder.fsub(kept, whole)
    value = build.constant(_SERIES[0])
    for term in _SERIES[1:]:
        value = build.fma(value, part, build.constant(term))
    biased = builder.add(builder.fptosi(whole, _WHOLE), ir.Constant(_WHOLE, [127] * LANES))
    power = builder.bitcast(builder.shl(biased, ir.Constant(_WHOLE, [23] * LANES)), _VECTOR)
    return builder.select(small, build.zero(_VECTOR), builder.fmul(value, power))


@emitted
def raise_to(_typing: Any, row: Any, chunks: Any, most: Any) -> Any:
    """Let ``most`` be the larger of itself and ``row``, number by number.

    Args:
        row: Address of the numbers.
        chunks: A sixteenth of their count.
        most: Address.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        build = Build(builder)
        with cgutils.for_range(builder, arguments[1]) as loop:
            at = builder.mul(loop.index, ir.Constant(LONG, _STEP))
            value = build.load(builder.add(arguments[0], at), _VECTOR)
            place = builder.add(arguments[2], at)
            best = build.load(place, _VECTOR)
            build.store(builder.select(builder.fcmp_ordered(">", value, best), value, best), place)
        return context.get_dummy_value()

    return types.void(types.intp, types.intp, types.intp), generate


@emitted
def exponentials(_typing: Any, row: Any, chunks: Any, most: Any, factor: Any, total: Any) -> Any:
    """Turn ``row`` into 2^(factor (row - most)), number by number, and add that to ``total``.

    Args:
        row: Address of the numbers.
        chunks: A sixteenth of their count.
        most: Address.
        factor: float32.
        total: Address.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        build = Build(builder)
        factor = build.splat(arguments[3], _VECTOR)
        with cgutils.for_range(builder, arguments[1]) as loop:
            at = builder.mul(loop.index, ir.Constant(LONG, _STEP))
            place, sums = builder.add(arguments[0], at), builder.add(arguments[4], at)
            below = builder.fsub(build.load(place, _VECTOR), build.load(builder.add(arguments[2], at), _VECTOR))
            value = exponential(build, builder.fmul(below, factor))
            build.store(value, place)
            build.store(builder.fadd(build.load(sums, _VECTOR), value), sums)
        return context.get_dummy_value()

    return types.void(types.intp, types.intp, types.intp, types.float32, types.intp), generate


#: Up to here the series of tanh is as exact as float32; its terms from x^11 to x^3.
_SMALL, _TANH = 0.3, (-1382 / 155925, 62 / 2835, -17 / 315, 2 / 15, -1 / 3)


def _tanh(build: Build, x: Any) -> Any:
    """Return tanh of each number, within a few units of the last place; what is no number stays none."""
    builder = build.builder
    size = build.call("fabs", x)
    square = builder.fmul(x, x)
    series = build.constant(_TANH[0])
    for term in _TANH[1:]:
        series = build.fma(series, square, build.constant(term))
    near = build.fma(builder.fmul(x, square), series, x)
    power = exponential(build, builder.fmul(size, build.constant(-2 / math.log(2))))
    one = build.constant(1.0)
    far = build.call("copysign", builder.fdiv(builder.fsub(one, power), builder.fadd(one, power)), x)
    # Asked for in this way, what is no number comes from the series.
    return builder.select(builder.fcmp_ordered(">", size, build.constant(_SMALL)), far, near)


@emitted
def bounded(_typing: Any, row: Any, chunks: Any, shared: Any, factor: Any) -> Any:
    """Turn ``row`` into shared + factor tanh(row), number by number.

    Args:
        row: Address of the numbers.
        chunks: A sixteenth of their count.
        shared: Address of as many.
        factor: float32.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        build = Build(builder)
        factor = build.splat(arguments[3], _VECTOR)
        with cgutils.for_range(builder, arguments[1]) as loop:
            at = builder.mul(loop.index, ir.Constant(LONG, _STEP))
            place = builder.add(arguments[0], at)
            made = _tanh(build, build.load(place, _VECTOR))
            build.store(build.fma(made, factor, build.load(builder.add(arguments[2], at), _VECTOR)), place)
        return context.get_dummy_value()

    return types.void(types.intp, types.intp, types.intp, types.float32), generate


@emitted
def normed(_typing: Any, width: Any, x: Any, stride: Any, rows: Any, out: Any) -> Any:
    """Write the layer norm of each of some columns of ``x`` to ``out``.

    Args:
        width: How many columns, a multiple of 16 up to `COLUMNS`.
        x: Address of the first.
        stride: Bytes from row to row, of both.
        rows: How many numbers a column has.
        out: Address.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        for columns in range(LANES, COLUMNS + 1, LANES):
            with builder.if_then(builder.icmp_signed("==", arguments[0], ir.Constant(LONG, columns))):
                _normed(Build(builder), columns // LANES, *arguments[1:])
        return context.get_dummy_value()

    return types.void(*[types.intp] * 5), generate


def _normed(build: Build, vectors: int, x: Any, stride: Any, rows: Any, out: Any) -> None:
    builder = build.builder
    share = build.splat(builder.fdiv(ir.Constant(FLOAT, 1.0), builder.sitofp(rows, FLOAT)), _VECTOR)
    sums = [cgutils.alloca_once(builder, _VECTOR) for _ in range(vectors)]

    def pass_over(step: Any) -> list[Any]:
        for total in sums:
            builder.store(build.zero(_VECTOR), total)
        with cgutils.for_range(builder, rows) as loop:
            row = builder.add(x, builder.mul(loop.index, stride))
            for v, total in enumerate(sums):
                builder.store(step(v, build.load(build.address(row, _STEP * v), _VECTOR), builder.load(total)), total)
        return [builder.load(total) for total in sums]

    means = [builder.fmul(total, share) for total in pass_over(lambda v, value, total: builder.fadd(total, value))]

    def squared(v: int, value: Any, total: Any) -> Any:
        off = builder.fsub(value, means[v])
        return build.fma(off, off, total)

    scales = []
    for power in pass_over(squared):
        root = build.call("sqrt", build.fma(power, share, build.constant(EPSILON)))
        scales.append(builder.fdiv(build.constant(1.0), root))
    with cgutils.for_range(builder, rows) as loop:
        at = builder.mul(loop.index, stride)
        for v in range(vectors):
            value = build.load(build.address(builder.add(x, at), _STEP * v), _VECTOR)
            made = builder.fmul(builder.fsub(value, means[v]), scales[v])
            build.store(made, build.address(builder.add(out, at), _STEP * v))


@emitted
def turned(_typing: Any, first: Any, second: Any, at: Any, root: Any, out: Any, stride: Any) -> Any:
    """Write 16 numbers of each of 16 rows as columns: out[k][p] = root first[p][k] + second[p][k].

    Args:
        first: Where the addresses of 16 rows stand.
        second: Where the addresses of what is added stand.
        at: Bytes from a row's address to its first number.
        root: What the rows are multiplied by.
        out: Address of the first of 16 rows of columns.
        stride: Bytes from one of them to the next.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        rows, others, offset, factor, target, step = arguments
        build = Build(builder)
        root = build.splat(factor, _VECTOR)
        block = []
        for p in range(LANES):
            one, other = (build.load(builder.add(build.long(which, p), offset), _VECTOR) for which in (rows, others))
            block.append(builder.fadd(builder.fmul(one, root), other))
        for half in (1, 2, 4, 8):
            for p in (p for p in range(LANES) if not p & half):
                a, b = block[p], block[p + half]
                block[p] = build.pick(a, b, [LANES + j - half if j & half else j for j in range(LANES)])
                block[p + half] = build.pick(a, b, [LANES + j if j & half else j + half for j in range(LANES)])
        for k in range(LANES):
            build.store(block[k], builder.add(target, builder.mul(step, ir.Constant(LONG, k))))
        return context.get_dummy_value()

    return types.void(types.intp, types.intp, types.intp, types.float32, types.intp, types.intp), generate


@emitted
def code_dots(_typing: Any, row: Any, per_code: Any, x: Any, chunks: Any, y: Any, per_result: Any) -> Any:
    """Compute y[r] = sum over k of row[r][k] x[k] for 4 rows, which lie equally far from one another, as results do.

    Args:
        row: Address of the first row.
        per_code: Bytes from row to row.
        x: Address of the other factor.
        chunks: A sixteenth of the length of a row.
        y: Address of the first result.
        per_result: Bytes from result to result.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        first, apart, factor, count, out, between = arguments
        build = Build(builder)
        sums = [cgutils.alloca_once(builder, _VECTOR) for _ in range(ROWS)]
        for total in sums:
            builder.store(build.zero(_VECTOR), total)
        with cgutils.for_range(builder, count) as loop:
            at = builder.mul(loop.index, ir.Constant(LONG, _STEP))
            given = build.load(builder.add(factor, at), _VECTOR)
            for r, total in enumerate(sums):
                place = builder.add(builder.add(first, builder.mul(apart, ir.Constant(LONG, r))), at)
                builder.store(build.fma(build.load(place, _VECTOR), given, builder.load(total)), total)
        level = [builder.load(total) for total in sums]
        while len(level) > 1:
            pairs = zip(level[::2], level[1::2], strict=True)
            level = [builder.fadd(build.pick(a, b, range(0, 2 * LANES, 2)), build.pick(a, b, range(1, 2 * LANES, 2))) for a, b in pairs]
        left = level[0]
        while (width := left.type.count) > ROWS:
            left = builder.fadd(build.pick(left, left, range(0, width, 2)), build.pick(left, left, range(1, width, 2)))
        for r in range(ROWS):
            place = builder.add(out, builder.mul(between, ir.Constant(LONG, r)))
            build.store(builder.extract_element(left, ir.Constant(INT, r)), place)
        return context.get_dummy_value()

    return types.void(*[types.intp] * 6), generate
