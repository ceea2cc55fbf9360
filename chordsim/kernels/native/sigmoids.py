"""Elements' importance and its gradients, one user after the other: sigmoids of products of rank 4, made where they are summed.

Channels lie side by side, so a sum over inputs is taken in their order. Nothing of the size of a weight matrix is written to memory.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils

from chordsim.kernels.native.columns import code_dots, exponential
from chordsim.kernels.native.compiled import compiled
from chordsim.kernels.native.vector import FLOAT, LANES, LONG, ROWS, Build, address, emitted

Array = np.ndarray[Any, Any]
_VECTOR = ir.VectorType(FLOAT, LANES)
#: Bytes of one vector.
_STEP = 4 * LANES


@compiled
def weigh_all(left: Array, right: Array, shares: Array, out: Array) -> None:
    """Fill ``out`` [D, C] with the sum over k of sigmoid(left right^T)[c, k] shares[c, k].

    Args:
        left: By input, [D, 4, C].
        right: [D, K, 4].
        shares: By input, [K, C].
        out: float32.
    """
    channels = left.shape[2]
    for d in range(left.shape[0]):
        out[d] = 0
        for k in range(right.shape[1]):
            weigh(address(left[d]), 4 * channels, address(right[d, k]), address(shares[k]), channels // LANES, address(out[d]))


@compiled
def weigh_gradients(left: Array, right: Array, shares: Array, upstream: Array, slopes: Array, of_left: Array, of_right: Array) -> None:
    """Fill the gradients of `weigh_all` by ``left``, [D, 4, C], and by ``right``, [D, K, 4].

    Args:
        left: As above.
        right: As above.
        shares: As above.
        upstream: What ``out`` is asked to change, [D, C].
        slopes: Room for a number of each channel.
        of_left: Out, float32.
        of_right: Out, float32.
    """
    channels, chunks = left.shape[2], left.shape[2] // LANES
    for d in range(left.shape[0]):
        of_left[d] = 0
        first, asked, made, sums = address(left[d]), address(upstream[d]), address(slopes), address(of_left[d])
        for k in range(right.shape[1]):
            slope(first, 4 * channels, address(right[d, k]), address(shares[k]), asked, chunks, made, sums)
            code_dots(first, 4 * channels, made, chunks, address(of_right[d, k]), 4)


@emitted
def weigh(_typing: Any, left: Any, apart: Any, right: Any, shares: Any, chunks: Any, out: Any) -> Any:
    """Add sigmoid(sum over r of left[r] right[r]) times ``shares`` to ``out``, number by number.

    Args:
        left: Address of the first of 4 rows.
        apart: Bytes from row to row.
        right: Address of 4 numbers.
        shares: Address.
        chunks: A sixteenth of the numbers.
        out: Address.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        first, between, factors, share, count, target = arguments
        build = Build(builder)
        right = _factors(build, factors)
        with cgutils.for_range(builder, count) as loop:
            at = builder.mul(loop.index, ir.Constant(LONG, _STEP))
            chance, _ = _sigmoid(build, _product(build, _rows(build, builder.add(first, at), between), right))
            place = builder.add(target, at)
            build.store(build.fma(chance, build.load(builder.add(share, at), _VECTOR), build.load(place, _VECTOR)), place)
        return context.get_dummy_value()

    return types.void(*[types.intp] * 6), generate


@emitted
def slope(_typing: Any, left: Any, apart: Any, right: Any, shares: Any, upstream: Any, chunks: Any, slopes: Any, of_left: Any) -> Any:
    """Write upstream shares sigmoid'(sum over r of left[r] right[r]) to ``slopes``, and add it times right[r] to of_left[r].

    Args:
        left: Address of the first of 4 rows.
        apart: Bytes from row to row, of ``of_left`` too.
        right: Address of 4 numbers.
        shares: Address.
        upstream: Address.
        chunks: A sixteenth of the numbers.
        slopes: Address.
        of_left: Address of the first of 4 rows.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        first, between, factors, share, asked, count, target, sums = arguments
        build = Build(builder)
        right = _factors(build, factors)
        with cgutils.for_range(builder, count) as loop:
            at = builder.mul(loop.index, ir.Constant(LONG, _STEP))
            chance, rest = _sigmoid(build, _product(build, _rows(build, builder.add(first, at), between), right))
            wanted = builder.fmul(build.load(builder.add(asked, at), _VECTOR), build.load(builder.add(share, at), _VECTOR))
            made = builder.fmul(builder.fmul(chance, rest), wanted)
            build.store(made, builder.add(target, at))
            for r, place in enumerate(_places(build, builder.add(sums, at), between)):
                build.store(build.fma(made, right[r], build.load(place, _VECTOR)), place)
        return context.get_dummy_value()

    return types.void(*[types.intp] * 8), generate


def _factors(build: Build, place: Any) -> list[Any]:
    return [build.splat(build.load(build.address(place, 4 * r), FLOAT), _VECTOR) for r in range(ROWS)]


def _places(build: Build, first: Any, apart: Any) -> list[Any]:
    return [build.builder.add(first, build.builder.mul(apart, ir.Constant(LONG, r))) for r in range(ROWS)]


def _rows(build: Build, first: Any, apart: Any) -> list[Any]:
    return [build.load(place, _VECTOR) for place in _places(build, first, apart)]


def _product(build: Build, left: list[Any], right: list[Any]) -> Any:
    out = build.builder.fmul(left[0], right[0])
    for one, other in zip(left[1:], right[1:], strict=True):
        out = build.fma(one, other, out)
    return out


def _sigmoid(build: Build, x: Any) -> tuple[Any, Any]:
    """Return sigmoid(x) and sigmoid(-x) of each number, within a few units of the last place; of what is no number, none."""
    builder, one = build.builder, build.constant(1.0)
    power = exponential(build, builder.fmul(build.call("fabs", x), build.constant(-1 / math.log(2))))
    near = builder.fdiv(one, builder.fadd(one, power))
    far = builder.fmul(power, near)
    above = builder.fcmp_ordered(">", x, build.zero(_VECTOR))
    return builder.select(above, near, far), builder.select(above, far, near)
