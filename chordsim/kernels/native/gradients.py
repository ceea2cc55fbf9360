"""Products of a training step, one window after the other: each user's chosen rows times activations, and all their gradients.

A window's weights, activations and gradients stay in the nearest caches, channels that are off and positions before the history are not
multiplied, and no weights are written to memory. Sums over windows are taken in the order of windows.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chordsim.kernels.native.columns import code_dots
from chordsim.kernels.native.compiled import compiled
from chordsim.kernels.native.pieces import as_columns
from chordsim.kernels.native.products import NO, NONE, NOTHING, filled, multiply
from chordsim.kernels.native.vector import address

Array = np.ndarray[Any, Any]
#: Python's or numpy's, whole or not.
Number = Any


@compiled
def find_live(rows: Array, live: Array) -> None:
    """Fill ``live`` [4, C] with whether a row of ``rows`` [4, C, K] is anything but zeros."""
    for code in range(rows.shape[0]):
        for c in range(rows.shape[1]):
            live[code, c] = _nothing_before(rows[code, c : c + 1]) == 0


@compiled
def multiply_all(x: Array, codes: Array, rows: Array, live: Array, turned: Array, lists: Array, waste: Array, y: Array) -> None:
    """Fill ``y`` [D, n, C] with each window's activations times its own weights.

    Args:
        x: Activations [D, n, K]; what comes before a history is 0.
        codes: Chosen code of each channel [D, C], uint8.
        rows: Every channel at every code, [4, C, K].
        live: Whether such a row is anything but zeros, [4, C].
        turned: Room for one window's weights [K, C in whole vectors].
        lists: Room for addresses, [5, the largest of n, C and K, and a vector more], int64.
        waste: Room for a row, zeros.
        y: float32.
    """
    w_rows, y_rows, x_rows, steps, others = lists[0], lists[1], lists[2], lists[3], lists[4]
    channels, fan_in = rows.shape[1:]
    for k in range(fan_in):
        x_rows[k], steps[k] = address(turned[k]), 4 * k
    for d in range(x.shape[0]):
        first = _nothing_before(x[d])
        y[d, :first] = 0
        for c in range(channels):
            others[c] = address(waste)
            w_rows[c] = address(rows[codes[d, c], c]) if live[codes[d, c], c] else others[c]
        as_columns(w_rows, others, channels, fan_in, np.float32(1), waste, turned)
        n = NONE
        for p in range(first, x.shape[1]):
            w_rows[n], y_rows[n] = address(x[d, p]), address(y[d, p])
            n += 1
        multiply(x_rows, w_rows, filled(n, w_rows, y_rows, waste[fan_in:]), steps, fan_in, y_rows, NONE, channels, NO, NOTHING)


@compiled
def gradients_all(
    x: Array, codes: Array, rows: Array, live: Array, upstream: Array, whole: Array, lists: Array, waste: Array, out: tuple[Array, ...]
) -> None:
    """Fill the gradients of `multiply_all`, those of rows as if the chosen ones were used and those of choices as if all were, by chance.

    Args:
        x: [D, n, K].
        codes: [D, C].
        rows: [4, C, K].
        live: [4, C].
        upstream: What ``y`` is asked to change, [D, n, C].
        whole: Room for the gradient of one window's weights [C, K].
        lists: As above.
        waste: As above.
        out: Gradients of activations [D, n, K], of choices [4, D, C], and of rows [4, C, K], to which is added.
    """
    of_x, of_choices, of_rows = out
    w_rows, y_rows, x_rows, steps = lists[0], lists[1], lists[2], lists[3]
    channels, fan_in = rows.shape[1:]
    nowhere = waste[fan_in:]
    per_code, choices = 4 * channels * fan_in, 4 * of_choices.shape[1] * channels
    for d in range(x.shape[0]):
        start = _nothing_before(upstream[d])
        of_x[d, :start] = 0
        count = NONE
        for c in range(channels):
            if live[codes[d, c], c]:
                x_rows[count], steps[count] = address(rows[codes[d, c], c]), 4 * c
                count += 1
        n = NONE
        for p in range(start, x.shape[1]):
            w_rows[n], y_rows[n] = address(upstream[d, p]), address(of_x[d, p])
            n += 1
        multiply(x_rows, w_rows, filled(n, w_rows, y_rows, nowhere), steps, count, y_rows, NONE, fan_in, NO, NOTHING)
        count = NONE
        for p in range(max(start, _nothing_before(x[d])), x.shape[1]):
            x_rows[count], steps[count] = address(x[d, p]), 4 * p * channels
            count += 1
        for c in range(channels):
            w_rows[c], y_rows[c] = address(upstream[d]) + 4 * c, address(whole[c])
        multiply(x_rows, w_rows, filled(np.int64(channels), w_rows, y_rows, nowhere), steps, count, y_rows, NONE, fan_in, NO, NOTHING)
        for c in range(channels):
            code_dots(address(rows[0, c]), per_code, address(whole[c]), fan_in // 16, address(of_choices[0, d]) + 4 * c, choices)
            chosen = of_rows[codes[d, c], c]
            for k in range(fan_in):
                chosen[k] += whole[c, k]


@compiled
def thin_all(x: Array, chances: Array, cut: Number, factor: Number, out: Array) -> None:
    """Fill ``out`` [n] with ``x`` times ``factor`` where ``chances`` reach ``cut``, and times 0 elsewhere."""
    for i in range(x.size):
        out[i] = x[i] * (factor if chances[i] >= cut else np.float32(0))


@compiled
def _nothing_before(x: Array) -> Any:
    """Return how many rows there are before the first that is anything but zeros."""
    for p in range(x.shape[0]):
        for k in range(x.shape[1]):
            if x[p, k] != 0:
                return p
    return x.shape[0]
