"""Dense layers for some phones at once, each one's sums in one order whoever else is there: users, and what channels are worth to them."""

from __future__ import annotations

from typing import Any

import numpy as np

from chordsim.kernels.native.columns import bounded
from chordsim.kernels.native.compiled import compiled
from chordsim.kernels.native.pieces import norm
from chordsim.kernels.native.products import NO, NOTHING, YES, filled, multiply
from chordsim.kernels.native.vector import LANES, address

Array = np.ndarray[Any, Any]
#: Python's or numpy's, whole or not.
Number = Any
#: Phones whose results stay in the nearer caches.
BLOCK = 32


@compiled
def pooled_all(
    items: Array, table: Array, spans: Array, layers: tuple[Array, ...], lists: Array, room: tuple[Array, ...], out: Array
) -> None:
    """Fill ``out`` with the norm of two dense layers of the means of the last embeddings (`chordsim.nets.extractor.MeanPool`).

    Args:
        items: Item ids [D, L], 0 where there is none.
        table: Item embeddings [n_items + 1, d].
        spans: How many of the last items each mean is of.
        layers: Weights by input and bias of both layers, rows a whole number of vectors long, zeros behind what there is.
        lists: Room for addresses [4, at least inputs of a layer, and a block in whole tiles].
        room: Means, hidden and outer numbers of a block, one row for a phone [BLOCK, whole vectors]; numbers that nobody reads.
        out: [D, width].
    """
    inner, inner_bias, outer, outer_bias = layers
    means, hidden, made, waste = room
    dim, width = table.shape[1], out.shape[1]
    for first in range(0, items.shape[0], BLOCK):
        phones = min(BLOCK, items.shape[0] - first)
        for p in range(phones):
            _means(items[first + p], table, spans, means[p])
            norm(means[p], spans.size * dim, means[p])
        _layer(means, phones, inner, inner_bias, np.float32(0), lists, waste, hidden)
        _layer(hidden, phones, outer, outer_bias, NOTHING, lists, waste, made)
        for p in range(phones):
            norm(made[p], width, out[first + p])


@compiled
def product_all(x: Array, weights: Array, lists: Array, waste: Array, out: Array) -> None:
    """Fill ``out`` [D, n] with x weights, phone by phone.

    Args:
        x: [D, width].
        weights: By input [width, n], n a whole number of vectors.
        lists: Room for addresses [4, at least width, and a block in whole tiles].
        waste: Room for numbers that nobody reads [n].
        out: float32.
    """
    for first in range(0, x.shape[0], BLOCK):
        _multiply(x[first:], min(BLOCK, x.shape[0] - first), weights, NO, NOTHING, lists, waste, out[first:])


@compiled
def residual_all(user: Array, heads: Array, shared: Array, bound: Number, lists: Array, waste: Array, out: Array) -> None:
    """Fill ``out`` with shared + bound tanh(user heads), phone by phone.

    Args:
        user: [D, width].
        heads: By input [width, n], n a whole number of vectors.
        shared: [n].
        bound: float32.
        lists: Room for addresses [4, at least width, and a block in whole tiles].
        waste: Room for numbers that nobody reads [n].
        out: [D, n].
    """
    for first in range(0, user.shape[0], BLOCK):
        phones = min(BLOCK, user.shape[0] - first)
        _multiply(user[first:], phones, heads, NO, NOTHING, lists, waste, out[first:])
        for p in range(phones):
            bounded(address(out[first + p]), out.shape[1] // LANES, address(shared), bound)


@compiled
def _layer(x: Array, rows: Number, weights: Array, bias: Array, floor: Number, lists: Array, waste: Array, out: Array) -> None:
    for r in range(rows):
        for c in range(bias.size):
            out[r, c] = bias[c]
    _multiply(x, rows, weights, YES, floor, lists, waste, out)


@compiled
def _multiply(x: Array, rows: Number, weights: Array, add: Number, floor: Number, lists: Array, waste: Array, out: Array) -> None:
    """Compute out[r] = max(floor, (out[r] if add) + x[r] weights)."""
    count, columns = weights.shape
    w_rows, y_rows, x_rows, steps = lists[0], lists[1], lists[2], lists[3]
    for k in range(count):
        x_rows[k], steps[k] = address(weights) + 4 * columns * k, 4 * k
    for r in range(rows):
        w_rows[r], y_rows[r] = address(x) + 4 * x.shape[1] * r, address(out) + 4 * out.shape[1] * r
    whole = filled(np.int64(rows), w_rows, y_rows, waste)
    multiply(x_rows, w_rows, whole, steps, count, y_rows, np.int64(0), columns, add, floor)


@compiled
def _means(items: Array, table: Array, spans: Array, out: Array) -> None:
    """Write the mean of the last embeddings of each span side by side; padding counts as nothing but its own embedding."""
    dim = table.shape[1]
    for n in range(spans.size):
        length = min(spans[n], items.size)
        mine = out[n * dim : (n + 1) * dim]
        mine[:] = 0
        count = 0
        for p in range(items.size - length, items.size):
            row = table[items[p]]
            count += 1 if items[p] > 0 else 0
            for k in range(dim):
                mine[k] += row[k]
        share = np.float32(max(count, 1))
        for k in range(dim):
            mine[k] /= share
