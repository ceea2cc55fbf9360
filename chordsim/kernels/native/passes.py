"""SASRec for one phone after another: a whole pass while the phone's numbers are in the nearest cache.

Activations stand as channels by positions, so that one weight meets all positions at once, padding is never computed, and weights are
read from the table of pre-quantized channels where they stand. A channel that is off is not multiplied. The last block answers
for the last position alone: keys are multiplied by the query and values by the mixture of positions, instead of by every
position, which is the same up to the order of sums.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chordsim.kernels.native.compiled import compiled, merged
from chordsim.kernels.native.pieces import ask_for, embed, norm, norm_columns, softmax, softmax_columns
from chordsim.kernels.native.products import CHANNELS, NO, NONE, NOTHING, YES, dots, filled, layer_rows, listed, multiply, project
from chordsim.kernels.native.vector import LANES, ROWS, address

Array = np.ndarray[Any, Any]
#: Python's or numpy's, whole or not.
Number = Any
#: Layers of a block in plan order.
QUERY, KEY, VALUE, OUTPUT, FEED_IN, FEED_OUT, PER_BLOCK = np.arange(7)
#: Keys whose scores begin at the same position, the first of them; positions that are mixed together.
SPAN = 32
#: log2(e): powers of two stand for those of e.
LOG2_E = 1.4426950408889634
#: Rows of ``vectors``, each as long as the widest layer and a vector more.
ZERO, WASTE, MOST, TOTAL, NORMAL, ASKED, STATE, MIXED, HIDDEN, HEADED = np.arange(10)


@compiled
def forward_all(
    items: Array,
    codes: Array,
    item: Array,
    position: Array,
    user: Array,
    meta: Array,
    live: Array,
    heads: Number,
    room: tuple[Array, ...],
    out: Array,
) -> None:
    """Fill ``out`` [D, d] with the state after each phone's history.

    Args:
        items: Item ids [D, L], 0 where there is none.
        codes: [D, C] uint8, or one row of zeros where every channel has one precision.
        item: Item embeddings [n_items + 1, d].
        position: Position embeddings [L, d].
        user: What is added to all inputs of each phone [D, d]; no rows for nothing.
        meta: What each layer's weights are and where, int64 (`chordsim.kernels.native.products`).
        live: Whether a row of a table is anything but zeros, uint8.
        heads: Of attention.
        room: Where to work: six arrays of channels by positions, one of keys by positions, weights, vectors, lists, flags.
        out: float32.
    """
    x, normal, q, k, v, mixed, hidden, scores, built, vectors, lists, on = room
    dim = item.shape[1]
    blocks = meta.shape[0] // PER_BLOCK
    for d in range(items.shape[0]):
        plan = codes[d if codes.shape[0] > 1 else 0]
        if items[d, items.shape[1] - 1] <= 0:
            out[d] = 0
            continue
        vectors[:] = 0
        if d + 1 < items.shape[0]:
            ask_for(items[d + 1], item)
        real = embed(items[d], item, position, x, lists[0], lists[1], vectors[ZERO])
        if user.shape[0] > 0:
            for c in range(dim):
                for p in range(real):
                    x[c, p] += user[d, c]
        for b in range(blocks - 1):
            _block(meta[PER_BLOCK * b : PER_BLOCK * (b + 1)], d, plan, live, heads, dim, real, room)
        _last(meta[PER_BLOCK * (blocks - 1) :], d, plan, live, heads, dim, real, room)
        norm(vectors[STATE], dim, out[d])


@merged
def _block(meta: Array, phone: Number, plan: Array, live: Array, heads: Number, dim: Number, real: Number, room: tuple[Array, ...]) -> None:
    """Run a block for all positions."""
    x, normal, q, k, v, mixed, hidden, scores, built, vectors, lists, on = room
    columns, wide = (real + 7) // 8 * 8, (real + LANES - 1) // LANES * LANES
    x_rows, steps, waste, all_on = lists[3], lists[4], vectors[WASTE], on[3]
    all_on[:] = True
    norm_columns(x, dim, wide, normal)
    count = listed(normal, dim, all_on, x_rows, steps)
    for n, y in ((QUERY, q), (KEY, k), (VALUE, v)):
        project(meta[n], phone, plan, live, built, x_rows, steps, count, columns, y, NO, NOTHING, on[n], lists, waste)
    width = dim // heads
    factor = np.float32(LOG2_E / np.sqrt(width))
    for head in range(heads):
        _attend(head * width, width, real, columns, factor, room)
    count = listed(mixed, dim, on[VALUE], x_rows, steps)
    project(meta[OUTPUT], phone, plan, live, built, x_rows, steps, count, columns, x, YES, NOTHING, all_on, lists, waste)
    all_on[:] = True
    norm_columns(x, dim, wide, normal)
    count = listed(normal, dim, all_on, x_rows, steps)
    nil = np.float32(0)
    project(meta[FEED_IN], phone, plan, live, built, x_rows, steps, count, columns, hidden, NO, nil, on[0], lists, waste)
    count = listed(hidden, meta[FEED_IN, CHANNELS], on[0], x_rows, steps)
    project(meta[FEED_OUT], phone, plan, live, built, x_rows, steps, count, columns, x, YES, NOTHING, all_on, lists, waste)


@merged
def _attend(start: Number, width: Number, real: Number, columns: Number, factor: Number, room: tuple[Array, ...]) -> None:
    """Mix the values of one head, whose channels begin at ``start``."""
    x, normal, q, k, v, mixed, hidden, scores, built, vectors, lists, on = room
    w_rows, y_rows, x_rows, steps, waste = lists[1], lists[2], lists[3], lists[4], vectors[WASTE]
    stride, count = 4 * q.shape[1], NONE
    for c in range(start, start + width):
        x_rows[count], steps[count] = address(q) + c * stride, c * stride
        count += 1 if on[QUERY, c] and on[KEY, c] else 0
    for first in range(0, real, SPAN):
        rows = (min(SPAN, real - first) + ROWS - 1) // ROWS * ROWS
        for r in range(rows):
            w_rows[r], y_rows[r] = address(k) + 4 * (first + r), address(scores) + (first + r) * stride
        multiply(x_rows, w_rows, rows, steps, count, y_rows, first, columns, NO, NOTHING)
    softmax_columns(scores, real, (real + LANES - 1) // LANES * LANES, SPAN, factor, vectors[MOST], vectors[TOTAL])
    for j in range(real):
        x_rows[j], steps[j] = address(scores) + j * stride, 4 * j
    rows = NONE
    for c in range(start, start + width):
        if on[VALUE, c]:
            w_rows[rows], y_rows[rows] = address(v) + c * stride, address(mixed) + c * stride
            rows += 1
    rows = filled(rows, w_rows, y_rows, waste)
    for first in range(0, columns, SPAN):
        stop = min(first + SPAN, columns)
        multiply(x_rows, w_rows, rows, steps, min(real, stop), y_rows, first, stop, NO, NOTHING)
    total = vectors[TOTAL]
    for p in range(columns):
        total[p] = np.float32(1) / total[p]
    for c in range(start, start + width):
        if on[VALUE, c]:
            for p in range(columns):
                mixed[c, p] *= total[p]


@merged
def _last(meta: Array, phone: Number, plan: Array, live: Array, heads: Number, dim: Number, real: Number, room: tuple[Array, ...]) -> None:
    """Run the last block for the last position; its state is left in ``vectors``."""
    x, normal, q, k, v, mixed, hidden, scores, built, vectors, lists, on = room
    wide, width = (real + LANES - 1) // LANES * LANES, dim // heads
    norm_columns(x, dim, wide, normal)
    for c in range(dim):
        vectors[NORMAL, c], vectors[STATE, c] = normal[c, real - 1], x[c, real - 1]
    _apply(meta[QUERY], phone, plan, live, NORMAL, ASKED, NO, NOTHING, room)
    _ask(meta[KEY], phone, plan, live, heads, dim, real, room)
    layer_rows(meta[VALUE], phone, plan, live, built, lists[0], on[0])
    nil = address(vectors)
    for c in range(dim):
        lists[0, c] = lists[0, c] if on[0, c] else nil
    for c in range(dim):
        lists[1, c] = address(normal) + 4 * normal.shape[1] * c
    chunks = (dim + LANES - 1) // LANES
    for head in range(heads):
        mixture = vectors[HEADED + head]
        dots(lists[1], dim, address(scores[head]), wide // LANES, address(mixture), NO, NOTHING, nil, lists[2])
        at = head * width
        dots(lists[0, at:], width, address(mixture), chunks, address(vectors[MIXED, at:]), NO, NOTHING, nil, lists[2])
    vectors[MIXED, dim:] = 0
    _apply(meta[OUTPUT], phone, plan, live, MIXED, STATE, YES, NOTHING, room)
    norm(vectors[STATE], dim, vectors[NORMAL])
    _apply(meta[FEED_IN], phone, plan, live, NORMAL, HIDDEN, NO, np.float32(0), room)
    _apply(meta[FEED_OUT], phone, plan, live, HIDDEN, STATE, YES, NOTHING, room)


@merged
def _ask(layer: Array, phone: Number, plan: Array, live: Array, heads: Number, dim: Number, real: Number, room: tuple[Array, ...]) -> None:
    """Leave in ``scores`` what share of each head's mixture each position has; zeros behind the last position."""
    x, normal, q, k, v, mixed, hidden, scores, built, vectors, lists, on = room
    rows, w_rows, y_rows, x_rows, steps, waste = lists[0], lists[1], lists[2], lists[3], lists[4], vectors[WASTE]
    width = dim // heads
    layer_rows(layer, phone, plan, live, built, rows, on[0])
    for head in range(heads):
        count = NONE
        for c in range(head * width, (head + 1) * width):
            x_rows[count], steps[count] = rows[c], 4 * c
            count += 1 if on[0, c] else 0
        w_rows[0], y_rows[0] = address(vectors[ASKED]), address(vectors[HEADED + head])
        multiply(x_rows, w_rows, filled(NONE + 1, w_rows, y_rows, waste), steps, count, y_rows, NONE, (dim + 7) // 8 * 8, NO, NOTHING)
    on[0, :] = True
    count = listed(normal, dim, on[0], x_rows, steps)
    for head in range(heads):
        w_rows[head], y_rows[head] = address(vectors[HEADED + head]), address(scores[head])
    columns = (real + 7) // 8 * 8
    multiply(x_rows, w_rows, filled(heads, w_rows, y_rows, waste), steps, count, y_rows, NONE, columns, NO, NOTHING)
    factor = np.float32(LOG2_E / np.sqrt(width))
    for head in range(heads):
        softmax(scores[head, : (real + LANES - 1) // LANES * LANES], real, vectors[MOST], vectors[TOTAL], factor)


@merged
def _apply(
    layer: Array, phone: Number, plan: Array, live: Array, given: Number, made: Number, add: Number, floor: Number, room: tuple[Array, ...]
) -> None:
    """Apply a layer to one of ``vectors`` and leave the result in another."""
    x, normal, q, k, v, mixed, hidden, scores, built, vectors, lists, on = room
    channels = layer[CHANNELS]
    layer_rows(layer, phone, plan, live, built, lists[0], on[0])
    nil = address(vectors)
    for c in range(channels):
        lists[0, c] = lists[0, c] if on[0, c] else nil
    chunks = (layer[CHANNELS + 1] + LANES - 1) // LANES
    dots(lists[0], channels, address(vectors[given]), chunks, address(vectors[made]), add, floor, nil, lists[2])
