"""Layers as lists of addresses: which rows of weights meet which rows of activations, and what is off and left out."""

from __future__ import annotations

from typing import Any

import numpy as np

from chordsim.kernels.native.compiled import compiled
from chordsim.kernels.native.vector import COLUMNS, LANES, ROWS, address, copy, product, sums_of_products

Array = np.ndarray[Any, Any]
#: Python's or numpy's, whole or not.
Number = Any
#: Constants are numpy's: for each of Python's numbers a loop would be compiled anew.
NOTHING, NO, YES, NONE = np.float32(-np.inf), np.bool_(False), np.bool_(True), np.int64(0)
#: Products that are added up before the next row's turn.
DEPTH = 64
#: What the row of a layer in ``meta`` says: address of its weights, bytes from phone to phone, from code to code and from row to row,
#: channels, inputs of one, inputs that share a code, first code of a plan, first flag of ``live``.
ADDRESS, PER_PHONE, PER_CODE, PER_ROW, CHANNELS, FAN_IN, PIECE, FIRST, LIVE = range(9)


@compiled
def layer_rows(layer: Array, phone: Number, codes: Array, live: Array, built: Array, rows: Array, on: Array) -> None:
    """Find one phone's weights of one layer: the address of each channel's row, and whether it is anything but zeros.

    Rows are read where they stand if they are whole and as long as vectors need; else they are copied into ``built``.
    """
    channels, fan_in, piece = layer[CHANNELS], layer[FAN_IN], layer[PIECE]
    first, per_code, per_row, flags = layer[FIRST], layer[PER_CODE], layer[PER_ROW], layer[LIVE]
    base = layer[ADDRESS] + phone * layer[PER_PHONE]
    length = (fan_in + LANES - 1) // LANES * LANES
    if piece == fan_in and per_row == 4 * length:
        chosen, lit = codes[first : first + channels], live[flags:]
        for c in range(channels):
            code = np.int64(chosen[c])
            rows[c] = base + code * per_code + c * per_row
            on[c] = lit[code * channels + c] != 0
        return
    parts = fan_in // piece
    for c in range(channels):
        found, rows[c] = False, address(built) + 4 * length * c
        for n in range(c * parts, (c + 1) * parts):
            code = codes[first + n]
            found |= live[flags + code * channels * parts + n] != 0
            copy(rows[c] + 4 * piece * (n - c * parts), base + code * per_code + n * per_row, 4 * piece)
        built[length * c + fan_in : length * (c + 1)] = 0
        on[c] = found


@compiled
def multiply(
    x_rows: Array,
    w_rows: Array,
    rows: Number,
    steps: Array,
    count: Number,
    y_rows: Array,
    first: Number,
    stop: Number,
    add: Number,
    floor: Number,
) -> None:
    """Compute columns ``first`` to ``stop`` (multiples of 8) of ``rows`` (a multiple of 4) rows, as `product` does for one tile."""
    for at in range(first, stop, COLUMNS):
        # So many rows of x stay in the nearest cache while all rows of w pass.
        for k in range(0, max(count, 1), DEPTH):
            least = floor if k + DEPTH >= count else NOTHING
            for r in range(0, rows, ROWS):
                product(
                    min(COLUMNS, stop - at),
                    address(x_rows) + 8 * k,
                    4 * at,
                    address(w_rows) + 8 * r,
                    address(steps) + 8 * k,
                    min(DEPTH, count - k),
                    address(y_rows) + 8 * r,
                    4 * at,
                    add or k > 0,
                    least,
                )


@compiled
def filled(n: Number, w_rows: Array, y_rows: Array, waste: Array) -> Any:
    """Fill lists of ``n`` rows up to a whole tile with rows whose results go to waste; return their number."""
    while n % ROWS:
        w_rows[n], y_rows[n] = w_rows[0] if n else address(waste), address(waste)
        n += 1
    return n


@compiled
def listed(x: Array, channels: Number, on: Array, rows: Array, steps: Array) -> Any:
    """List the rows of ``x`` that are on, and where their weights stand in a row of weights; return their number."""
    found, start, stride = NONE, address(x), 4 * x.shape[1]
    for k in range(channels):
        rows[found], steps[found] = start + k * stride, 4 * k
        found += 1 if on[k] else 0
    return found


@compiled
def project(
    layer: Array,
    phone: Number,
    codes: Array,
    live: Array,
    built: Array,
    x_rows: Array,
    steps: Array,
    count: Number,
    columns: Number,
    y: Array,
    add: Number,
    floor: Number,
    on: Array,
    lists: Array,
    waste: Array,
) -> None:
    """Apply a layer to all positions: y = W x, or y + W x; channels that are off give zeros, or leave y alone."""
    rows, w_rows, y_rows = lists[0], lists[1], lists[2]
    layer_rows(layer, phone, codes, live, built, rows, on)
    start, stride, n = address(y), 4 * y.shape[1], NONE
    for c in range(layer[CHANNELS]):
        w_rows[n], y_rows[n] = rows[c], start + c * stride
        n += 1 if on[c] else 0
        if not (on[c] or add):
            y[c, :columns] = 0
    multiply(x_rows, w_rows, filled(n, w_rows, y_rows, waste), steps, count, y_rows, NONE, columns, add, floor)


@compiled
def dots(rows: Array, count: Number, x: Number, chunks: Number, y: Number, add: Number, floor: Number, nil: Number, group: Array) -> None:
    """Compute y[r] = rows[r] x for ``count`` rows; up to a multiple of 16, numbers behind them become or stay what zeros make of them."""
    for r in range(0, count, LANES):
        for n in range(LANES):
            group[n] = rows[r + n] if r + n < count else nil
        sums_of_products(address(group), x, chunks, y + 4 * r, add, floor)
