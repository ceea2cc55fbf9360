"""Register tiles for numba: the few inner loops whose sums must stay in the processor's registers, written as vectors for LLVM.

Left to itself the compiler keeps the sums of a matrix product in memory and reaches a sixth to a third of what the processor can do;
with these it reaches nine tenths. Every sum is taken in one order, with fused multiply-adds, whatever the width of the
registers: a number is the same on every processor that has such an instruction. Memory is named by its address; whoever
calls keeps the arrays alive.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import llvmlite.binding
import numba
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from chordsim.kernels.lanes import LANES as LANES

#: Rows of a tile.
ROWS = 4
#: Bytes of a line of memory.
LINE = 64
FLOAT, INT, LONG = ir.FloatType(), ir.IntType(32), ir.IntType(64)
_FEATURES = numba.config.CPU_FEATURES or llvmlite.binding.get_host_cpu_features().flatten()
#: Whether there are 32 registers of 16 numbers each; a tile is as wide as registers allow.
WIDE = "+avx512f" in _FEATURES
#: Columns of the widest tile. Tiles are as wide as a multiple of 8 up to this.
COLUMNS = 64 if WIDE else 16


def fused() -> bool:
    """Return whether the processor multiplies and adds in one step, without which these loops would be slower than torch."""
    return "+fma" in _FEATURES or "+neon" in _FEATURES


def emitted(generator: Any) -> Any:
    """Make a function for compiled loops of one that says its types and emits its code."""
    return intrinsic(generator)


class Build:
    """What the loops below are built from, around one LLVM builder."""

    def __init__(self, builder: Any) -> None:
        self.builder = builder

    def address(self, base: Any, offset: int) -> Any:
        """Return an address some bytes further on."""
        return self.builder.add(base, ir.Constant(LONG, offset)) if offset else base

    def load(self, address: Any, kind: Any, align: int = 4) -> Any:
        """Return what stands at an address."""
        return self.builder.load(self.builder.inttoptr(address, kind.as_pointer()), align=align)

    def store(self, value: Any, address: Any) -> None:
        """Write a number or a vector to an address."""
        self.builder.store(value, self.builder.inttoptr(address, value.type.as_pointer()), align=4)

    def long(self, address: Any, index: int | Any = 0) -> Any:
        """Return the ``index``-th of the 64-bit numbers that begin at an address."""
        offset = ir.Constant(LONG, 8 * index) if isinstance(index, int) else self.builder.mul(index, ir.Constant(LONG, 8))
        return self.load(self.builder.add(address, offset), LONG, 8)

    def fma(self, a: Any, b: Any, c: Any) -> Any:
        """Return a b + c, rounded once."""
        name = f"llvm.fma.v{a.type.count}f32" if isinstance(a.type, ir.VectorType) else "llvm.fma.f32"
        function = cgutils.get_or_insert_function(self.builder.module, ir.FunctionType(a.type, [a.type] * 3), name)
        return self.builder.call(function, [a, b, c])

    def splat(self, value: Any, kind: Any) -> Any:
        """Return a vector of the same number."""
        first = self.builder.insert_element(ir.Constant(kind, ir.Undefined), value, ir.Constant(INT, 0))
        return self.pick(first, first, [0] * kind.count)

    def pick(self, a: Any, b: Any, lanes: Sequence[int]) -> Any:
        """Return lanes of two vectors, counted through both."""
        return self.builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(INT, len(lanes)), list(lanes)))

    def at_least(self, value: Any, floor: Any) -> Any:
        """Return the larger of each number and ``floor``; what is no number stays."""
        bound = self.splat(floor, value.type)
        return self.builder.select(self.builder.fcmp_ordered("<", value, bound), bound, value)

    def zero(self, kind: Any) -> Any:
        """Return a vector of zeros."""
        return ir.Constant(kind, [0.0] * kind.count)

    def constant(self, value: float) -> Any:
        """Return a vector of a number, as float32."""
        return ir.Constant(ir.VectorType(FLOAT, LANES), [struct.unpack("f", struct.pack("f", value))[0]] * LANES)

    def call(self, name: str, *values: Any) -> Any:
        """Return what one of LLVM's functions of numbers makes of vectors, number by number."""
        kind = values[0].type
        function = cgutils.get_or_insert_function(
            self.builder.module, ir.FunctionType(kind, [kind] * len(values)), f"llvm.{name}.v{kind.count}f32"
        )
        return self.builder.call(function, values)


def _tile(build: Build, columns: int, arguments: Sequence[Any]) -> None:
    """Emit the loop of `product` for ``columns`` columns, a multiple of 8."""
    x_rows, x_at, w_rows, w_steps, count, y_rows, y_at, add, floor = arguments
    builder = build.builder
    widths = [LANES] * (columns // LANES) + [8] * (columns % LANES // 8)
    starts = [4 * sum(widths[:n]) for n in range(len(widths))]
    kinds = [ir.VectorType(FLOAT, width) for width in widths]
    w = [build.long(w_rows, r) for r in range(ROWS)]
    y = [[build.address(builder.add(build.long(y_rows, r), y_at), start) for start in starts] for r in range(ROWS)]
    sums = [[cgutils.alloca_once(builder, kind) for kind in kinds] for _ in range(ROWS)]
    cells = [(r, v) for r in range(ROWS) for v in range(len(kinds))]
    with builder.if_else(add) as (then, otherwise):
        with then:
            for r, v in cells:
                builder.store(build.load(y[r][v], kinds[v]), sums[r][v])
        with otherwise:
            for r, v in cells:
                builder.store(build.zero(kinds[v]), sums[r][v])
    with cgutils.for_range(builder, count) as loop:
        row = builder.add(build.long(x_rows, loop.index), x_at)
        step = build.long(w_steps, loop.index)
        x = [build.load(build.address(row, start), kind) for start, kind in zip(starts, kinds, strict=True)]
        factors = [build.load(builder.add(w[r], step), FLOAT) for r in range(ROWS)]
        for r, v in cells:
            builder.store(build.fma(build.splat(factors[r], kinds[v]), x[v], builder.load(sums[r][v])), sums[r][v])
    for r, v in cells:
        build.store(build.at_least(builder.load(sums[r][v]), floor), y[r][v])


@emitted
def product(
    _typing: Any, columns: Any, x_rows: Any, x_at: Any, w_rows: Any, w_steps: Any, count: Any, y_rows: Any, y_at: Any, add: Any, floor: Any
) -> Any:
    """Compute y[r] = max(floor, (y[r] if add) + sum over k of w[r][k] x[k]) for a tile of 4 rows r and some columns.

    Args:
        columns: How many, a multiple of 8 up to `COLUMNS`.
        x_rows: Where the addresses of rows x[k] stand, [count].
        x_at: Bytes from a row's address to its first column.
        w_rows: Where the addresses of w[r] stand, [4].
        w_steps: Where the bytes from w[r] to w[r][k] stand, [count].
        count: How many products a sum has.
        y_rows: Where the addresses of y[r] stand, [4].
        y_at: Bytes from a row's address to its first column.
        add: Whether to add to what is there.
        floor: The least value that is stored; minus infinity for all.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        for width in range(8, COLUMNS + 1, 8):
            with builder.if_then(builder.icmp_signed("==", arguments[0], ir.Constant(LONG, width))):
                _tile(Build(builder), width, arguments[1:])
        return context.get_dummy_value()

    kinds = [types.intp] * 8 + [types.boolean, types.float32]
    return types.void(*kinds), generate


@emitted
def sums_of_products(_typing: Any, rows: Any, x: Any, chunks: Any, y: Any, add: Any, floor: Any) -> Any:
    """Compute y[r] = max(floor, (y[r] if add) + sum over k of rows[r][k] x[k]) for 16 rows r.

    Args:
        rows: Where the addresses of 16 rows stand.
        x: Address of the other factor.
        chunks: A sixteenth of the length of a row.
        y: Address of 16 results, side by side.
        add: Whether to add to what is there.
        floor: The least value that is stored.
    """
    kind = ir.VectorType(FLOAT, LANES)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        row_addresses, factor, count, out, adds, least = arguments
        build = Build(builder)
        w = [build.long(row_addresses, r) for r in range(LANES)]
        sums = [cgutils.alloca_once_value(builder, build.zero(kind)) for _ in range(LANES)]
        for total in sums:
            builder.store(build.zero(kind), total)
        with cgutils.for_range(builder, count) as loop:
            at = builder.mul(loop.index, ir.Constant(LONG, 4 * LANES))
            given = build.load(builder.add(factor, at), kind)
            for r in range(LANES):
                builder.store(build.fma(build.load(builder.add(w[r], at), kind), given, builder.load(sums[r])), sums[r])
        level = [builder.load(total) for total in sums]
        even, odd = range(0, 2 * LANES, 2), range(1, 2 * LANES, 2)
        while len(level) > 1:
            pairs = zip(level[::2], level[1::2], strict=True)
            level = [builder.fadd(build.pick(a, b, list(even)), build.pick(a, b, list(odd))) for a, b in pairs]
        before = builder.select(adds, build.load(out, kind), build.zero(kind))
        build.store(build.at_least(builder.fadd(before, level[0]), least), out)
        return context.get_dummy_value()

    number = types.intp
    return types.void(number, number, number, number, types.boolean, types.float32), generate


@emitted
def copy(_typing: Any, target: Any, source: Any, size: Any) -> Any:
    """Copy ``size`` bytes from one address to another."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        byte = ir.IntType(8).as_pointer()
        to, of = (builder.inttoptr(value, byte) for value in arguments[:2])
        cgutils.raw_memcpy(builder, to, of, arguments[2], 1)
        return context.get_dummy_value()

    return types.void(types.intp, types.intp, types.intp), generate


@emitted
def address(_typing: Any, array: Any) -> Any:
    """Return where an array's first number stands."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        made = context.make_array(signature.args[0])(context, builder, arguments[0])
        return builder.ptrtoint(made.data, LONG)

    return types.intp(array), generate


@emitted
def soon(_typing: Any, place: Any) -> Any:
    """Ask for the line of memory at an address, which is read later; it changes no number."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        byte = ir.IntType(8).as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [byte, INT, INT, INT])
        ask = builder.module.declare_intrinsic("llvm.prefetch", [byte], kind)
        to_read, near, data = (ir.Constant(INT, value) for value in (0, 3, 1))
        builder.call(ask, [builder.inttoptr(arguments[0], byte), to_read, near, data])
        return context.get_dummy_value()

    return types.void(types.intp), generate


@emitted
def number(_typing: Any, place: Any) -> Any:
    """Return the float32 at an address."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return Build(builder).load(arguments[0], FLOAT)

    return types.float32(types.intp), generate


@emitted
def parted(_typing: Any, given: Any, out: Any, stride: Any, chunks: Any) -> Any:
    """Write numbers that come in fours as four rows: out[j][c] = given[4 c + j].

    Args:
        given: Address of the numbers.
        out: Address of the first row.
        stride: Bytes from row to row.
        chunks: A sixteenth of the length of a row.
    """
    kind = ir.VectorType(FLOAT, LANES)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        build = Build(builder)
        with cgutils.for_range(builder, arguments[3]) as loop:
            at = builder.add(arguments[0], builder.mul(loop.index, ir.Constant(LONG, 16 * LANES)))
            a, b, c, d = (build.load(build.address(at, 4 * LANES * n), kind) for n in range(4))
            place = builder.add(arguments[1], builder.mul(loop.index, ir.Constant(LONG, 4 * LANES)))
            for j in range(4):
                lanes = range(j, 2 * LANES, 4)
                row = build.pick(build.pick(a, b, lanes), build.pick(c, d, lanes), range(LANES))
                build.store(row, builder.add(place, builder.mul(arguments[2], ir.Constant(LONG, j))))
        return context.get_dummy_value()

    return types.void(*[types.intp] * 4), generate
