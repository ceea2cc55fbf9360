"""Causal attention of a training step and its gradients, one window and one head after the other, over real positions alone.

A query sees keys up to its own position; a position before the history sees itself. Rows of probabilities are as long as whole
vectors and end in zeros.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chordsim.kernels.native.columns import exponentials
from chordsim.kernels.native.compiled import compiled, counted
from chordsim.kernels.native.pieces import as_columns
from chordsim.kernels.native.products import NO, NONE, NOTHING, filled, multiply
from chordsim.kernels.native.vector import LANES, address

Array = np.ndarray[Any, Any]
#: Python's or numpy's, whole or not.
Number = Any
#: Queries, or keys, of which the first decides from where on, and the last up to where, products are taken.
SPAN = 8
LOG2_E = 1.4426950408889634


@compiled
def attend_all(q: Array, k: Array, v: Array, starts: Array, heads: Number, room: tuple[Array, ...], chances: Array, out: Array) -> None:
    """Fill ``out`` [D, R, d] with what each query mixes.

    Args:
        q: Queries of the last R positions [D, R, d].
        k: Keys [D, L, d].
        v: Values [D, L, d].
        starts: First real position of each window, L where there is none.
        heads: How many.
        room: Columns [d / heads, L in whole vectors], two vectors, addresses [5, the longest and two vectors more], zeros.
        chances: Out: probabilities, [D, heads, R, L in whole vectors]; nothing stands in rows of positions before the history.
        out: float32.
    """
    columns, vectors, lists, waste = room
    queries, length, width = q.shape[1], k.shape[1], q.shape[2] // heads
    factor = np.float32(LOG2_E / np.sqrt(width))
    for d in range(q.shape[0]):
        first, before = starts[d], _alone(starts[d], queries, length)
        for i in range(before):
            out[d, i] = v[d, length - queries + i]
        for h in range(heads if before < queries else 0):
            start, rows = 4 * h * width, chances[d, h]
            _turn(k[d], first, start, width, columns, lists, waste)
            for at in range(before, queries, SPAN):
                stop = min(at + SPAN, queries)
                seen = length - queries + stop - first
                _by_columns(q[d], at, stop, start, columns, seen, rows, lists, waste)
                for i in range(at, stop):
                    row = rows[i, : (seen + LANES - 1) // LANES * LANES]
                    _softmax(row, seen - (stop - 1 - i), factor, vectors[0], vectors[1])
                _mixed(rows, at, stop, v[d], first, seen, width, start, out[d], lists, waste)


@compiled
def attention_gradients(
    given: tuple[Array, ...], starts: Array, heads: Number, room: tuple[Array, ...], chances: Array, upstream: Array, out: tuple[Array, ...]
) -> None:
    """Fill the gradients of `attend_all`.

    Args:
        given: Queries, keys and values.
        starts: As above.
        heads: As above.
        room: As above, and rows [R, L in whole vectors].
        chances: What `attend_all` left.
        upstream: What ``out`` is asked to change, [D, R, d].
        out: Gradients of queries, keys and values, zeros.
    """
    q, k, v = given
    of_q, of_k, of_v = out
    columns, vectors, lists, waste, scores = room
    queries, length, width = q.shape[1], k.shape[1], q.shape[2] // heads
    scale = np.float32(1 / np.sqrt(width))
    for d in range(q.shape[0]):
        first, before = starts[d], _alone(starts[d], queries, length)
        for i in range(before):
            of_v[d, length - queries + i] = upstream[d, i]
        for h in range(heads if before < queries else 0):
            start, rows = 4 * h * width, chances[d, h]
            _turn(v[d], first, start, width, columns, lists, waste)
            for at in range(before, queries, SPAN):
                stop = min(at + SPAN, queries)
                seen = length - queries + stop - first
                _by_columns(upstream[d], at, stop, start, columns, seen, scores, lists, waste)
                for i in range(at, stop):
                    _through_softmax(rows[i], scores[i], seen - (stop - 1 - i), (seen + LANES - 1) // LANES * LANES, scale)
                _mixed(scores, at, stop, k[d], first, seen, width, start, of_q[d], lists, waste)
            _of_keys(scores, q[d], first, before, start, width, of_k[d], lists, waste)
            _of_keys(rows, upstream[d], first, before, start, width, of_v[d], lists, waste)


@compiled
def _by_columns(
    x: Array, at: Number, stop: Number, start: Number, columns: Array, seen: Number, out: Array, lists: Array, waste: Array
) -> None:
    """Fill rows ``at`` to ``stop`` of ``out`` with one head of those of ``x`` times each of the ``seen`` rows that stand as columns."""
    w_rows, y_rows, x_rows, steps = lists[0], lists[1], lists[2], lists[3]
    n = _listed(x, at, stop, start, out, 0, lists, waste)
    for c in range(columns.shape[0]):
        x_rows[c], steps[c] = address(columns[c]), 4 * c
    multiply(x_rows, w_rows, n, steps, columns.shape[0], y_rows, NONE, (seen + 7) // 8 * 8, NO, NOTHING)


@compiled
def _mixed(
    shares: Array,
    at: Number,
    stop: Number,
    x: Array,
    first: Number,
    seen: Number,
    width: Number,
    start: Number,
    out: Array,
    lists: Array,
    waste: Array,
) -> None:
    """Fill one head of rows ``at`` to ``stop`` of ``out`` with sums of the ``seen`` rows of ``x`` from ``first`` on, by shares."""
    w_rows, y_rows, x_rows, steps = lists[0], lists[1], lists[2], lists[3]
    n = _listed(shares, at, stop, 0, out, start, lists, waste)
    for j in range(seen):
        x_rows[j], steps[j] = address(x[first + j]) + start, 4 * j
    multiply(x_rows, w_rows, n, steps, seen, y_rows, NONE, width, NO, NOTHING)


@compiled
def _of_keys(
    rows: Array, x: Array, first: Number, before: Number, start: Number, width: Number, out: Array, lists: Array, waste: Array
) -> None:
    """Fill one head of ``out``: for each key the sum over queries that see it of rows[query, key] x[query]."""
    w_rows, y_rows, x_rows, steps = lists[0], lists[1], lists[2], lists[3]
    queries, length, stride = x.shape[0], out.shape[0], 4 * rows.shape[1]
    for at in range(0, length - first, SPAN):
        n, count = NONE, NONE
        for j in range(at, min(at + SPAN, length - first)):
            w_rows[n], y_rows[n] = address(rows) + 4 * j, address(out[first + j]) + start
            n += 1
        for i in range(max(before, first + at - (length - queries)), queries):
            x_rows[count], steps[count] = address(x[i]) + start, i * stride
            count += 1
        multiply(x_rows, w_rows, filled(n, w_rows, y_rows, waste[waste.size // 2 :]), steps, count, y_rows, NONE, width, NO, NOTHING)


@compiled
def _alone(first: Number, queries: Number, length: Number) -> Any:
    """Return how many queries stand before the history."""
    return min(max(first - (length - queries), 0), queries)


@compiled
def _turn(x: Array, first: Number, start: Number, width: Number, out: Array, lists: Array, waste: Array) -> None:
    """Write one head of the rows from ``first`` on as columns."""
    rows, others = lists[0], lists[4]
    for p in range(x.shape[0] - first):
        rows[p], others[p] = address(x[first + p]) + start, address(waste)
    as_columns(rows, others, x.shape[0] - first, width, np.float32(1), waste, out)


@compiled
def _listed(x: Array, at: Number, stop: Number, x_at: Number, y: Array, y_at: Number, lists: Array, waste: Array) -> Any:
    """List rows of factors and of results, the same ones of both, up to a whole tile; return their number."""
    n = NONE
    for i in range(at, stop):
        lists[0, n], lists[1, n] = address(x[i]) + x_at, address(y[i]) + y_at
        n += 1
    return filled(n, lists[0], lists[1], waste[waste.size // 2 :])


@compiled
def _softmax(row: Array, size: Number, factor: Number, most: Array, total: Array) -> None:
    """Turn the first numbers of ``row`` into their softmax and what follows into zeros; parts of the sum are a vector's lanes."""
    most[:], total[:] = _largest(row, size), 0
    row[size:] = -np.inf
    for at in range(0, row.size, LANES):
        exponentials(address(row) + 4 * at, 1, address(most), factor, address(total))
    half = LANES // 2
    while half:
        for lane in range(half):
            total[lane] += total[lane + half]
        half //= 2
    share = np.float32(1) / total[0]
    for j in range(row.size):
        row[j] *= share


@counted
def _largest(row: Array, size: Number) -> Any:
    found = row[0]
    for j in range(size):
        found = max(found, row[j])
    return found


@compiled
def _through_softmax(chances: Array, row: Array, size: Number, wide: Number, scale: Number) -> None:
    """Turn the gradient of a row of probabilities into that of its scores, zeros behind them; sums are taken in four parts."""
    a = b = c = d = np.float32(0)
    for j in range(size, wide):
        row[j] = 0
    for j in range(0, (size + 3) // 4 * 4, 4):
        a, b = a + chances[j] * row[j], b + chances[j + 1] * row[j + 1]
        c, d = c + chances[j + 2] * row[j + 2], d + chances[j + 3] * row[j + 3]
    total = (a + b) + (c + d)
    for j in range(size):
        row[j] = chances[j] * (row[j] - total) * scale
