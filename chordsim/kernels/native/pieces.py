"""What a forward pass is made of besides products, over columns of positions: embeddings, norms, the softmax."""

from __future__ import annotations

from typing import Any

import numpy as np

from chordsim.kernels.native.columns import EPSILON, exponentials, normed, raise_to, turned
from chordsim.kernels.native.compiled import compiled, merged
from chordsim.kernels.native.vector import COLUMNS, LANES, LINE, address, number, soon

Array = np.ndarray[Any, Any]
#: Python's or numpy's, whole or not.
Number = Any


@compiled
def embed(items: Array, item: Array, position: Array, x: Array, rows: Array, others: Array, nil: Array) -> Any:
    """Write the input states of all real positions side by side, zeros behind them up to a whole vector; return their number.

    Args:
        items: Item ids [L].
        item: [n_items + 1, d].
        position: [L, d].
        x: Out, [d, at least L in whole vectors].
        rows: Room for addresses, [L in whole vectors].
        others: The same.
        nil: At least d zeros.
    """
    dim, real, root = item.shape[1], np.int64(0), np.float32(np.sqrt(item.shape[1]))
    for p in range(items.size):
        rows[real], others[real] = address(item) + 4 * dim * items[p], address(position) + 4 * dim * p
        real += 1 if items[p] > 0 else 0
    as_columns(rows, others, real, dim, root, nil, x)
    return real


@merged
def ask_for(items: Array, table: Array) -> None:
    """Have the rows of a table on their way while something else is computed: a large one stands in no cache."""
    row_bytes = 4 * table.shape[1]
    for n in range(items.size):
        for at in range(0, row_bytes, LINE):
            soon(address(table) + row_bytes * items[n] + at)


@compiled
def as_columns(rows: Array, others: Array, count: Number, dim: Number, root: Number, nil: Array, out: Array) -> None:
    """Write ``root`` times a row plus another for each of ``count``, side by side as columns, zeros behind them up to a whole vector.

    Args:
        rows: Their addresses, with room for a whole number of vectors.
        others: The same.
        count: How many.
        dim: Numbers of a row.
        root: float32.
        nil: At least ``dim`` zeros.
        out: float32 [dim, at least ``count`` in whole vectors].
    """
    wide, whole, stride = (count + LANES - 1) // LANES * LANES, dim // LANES * LANES, 4 * out.shape[1]
    for p in range(count, wide):
        rows[p] = others[p] = address(nil)
    for p in range(0, wide, LANES):
        for k in range(0, whole, LANES):
            turned(address(rows) + 8 * p, address(others) + 8 * p, 4 * k, root, address(out) + k * stride + 4 * p, stride)
    for p in range(wide if whole < dim else 0):
        for k in range(whole, dim):
            out[k, p] = number(rows[p] + 4 * k) * root + number(others[p] + 4 * k)


@compiled
def norm_columns(x: Array, rows: Number, columns: Number, out: Array) -> None:
    """Write the layer norm of each column of ``x`` [rows, columns, a multiple of 16] to ``out``."""
    for at in range(0, columns, COLUMNS):
        normed(min(COLUMNS, columns - at), address(x) + 4 * at, 4 * x.shape[1], rows, address(out) + 4 * at)


@compiled
def norm(x: Array, size: Number, out: Array) -> None:
    """Write the layer norm of a vector to ``out``, which may be the vector; sums have four parts, since additions wait for one another."""
    share, whole = np.float32(1) / np.float32(size), size // 4 * 4
    a = b = c = d = np.float32(0)
    for k in range(0, whole, 4):
        a, b, c, d = a + x[k], b + x[k + 1], c + x[k + 2], d + x[k + 3]
    for k in range(whole, size):
        a += x[k]
    mean = ((a + b) + (c + d)) * share
    a = b = c = d = np.float32(0)
    for k in range(0, whole, 4):
        p, q, r, s = x[k] - mean, x[k + 1] - mean, x[k + 2] - mean, x[k + 3] - mean
        a, b, c, d = a + p * p, b + q * q, c + r * r, d + s * s
    for k in range(whole, size):
        a += (x[k] - mean) * (x[k] - mean)
    scale = np.float32(1) / np.sqrt(((a + b) + (c + d)) * share + np.float32(EPSILON))
    for k in range(size):
        out[k] = (x[k] - mean) * scale


@compiled
def softmax_columns(scores: Array, keys: Number, columns: Number, block: Number, factor: Number, most: Array, total: Array) -> None:
    """Turn scores [keys, columns] into the exponentials of a causal softmax, without dividing by their sums.

    Column i sees keys up to i; what it does not see becomes 0 from the start of the key's block on, and is left alone before.

    Args:
        scores: In and out.
        keys: Rows.
        columns: Columns, a multiple of 16.
        block: Columns of which a key's row begins at a multiple.
        factor: What scores are multiplied by, times log2(e).
        most: Room for a number for each column.
        total: Out: the sum of each column.
    """
    for i in range(columns):
        most[i], total[i] = -np.inf, 0
    for j in range(keys):
        start = j // block * block
        row = scores[j, start:]
        for i in range(j - start):
            row[i] = -np.inf
        raise_to(address(row), (columns - start) // LANES, address(most) + 4 * start)
    for j in range(keys):
        start = j // block * block
        row = address(scores) + 4 * (scores.shape[1] * j + start)
        exponentials(row, (columns - start) // LANES, address(most) + 4 * start, factor, address(total) + 4 * start)


@compiled
def softmax(row: Array, size: Number, most: Array, total: Array, factor: Number) -> None:
    """Turn the first numbers of ``row`` into their softmax, and what follows into zeros.

    Args:
        row: A whole number of vectors.
        size: How many numbers.
        most: Room for as many.
        total: The same.
        factor: What numbers are multiplied by, times log2(e).
    """
    largest = row[0]
    for p in range(size):
        largest = row[p] if row[p] > largest else largest
    row[size:] = -np.inf
    most[: row.size], total[: row.size] = largest, 0
    exponentials(address(row), row.size // LANES, address(most), factor, address(total))
    left = row.size
    while left > 1:
        half = left // 2
        for p in range(half):
            total[p] += total[left - 1 - p]
        left -= half
    for p in range(row.size):
        row[p] /= total[0]
