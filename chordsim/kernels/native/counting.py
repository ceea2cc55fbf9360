"""Where a phone's target stands among all items, without keeping a score for each; and the rank in a list that all phones share."""

from __future__ import annotations

from typing import Any

import numpy as np

from chordsim.kernels.native.compiled import compiled
from chordsim.kernels.native.pieces import as_columns, ask_for
from chordsim.kernels.native.products import NO, NONE, NOTHING, filled, multiply
from chordsim.kernels.native.tally import matched, tally
from chordsim.kernels.native.vector import COLUMNS, LANES, ROWS, address

Array = np.ndarray[Any, Any]
#: Python's or numpy's, whole or not.
Number = Any


@compiled
def count_all(
    states: Array, table: Array, targets: Array, log: Array, starts: Array, ends: Array, room: tuple[Array, ...], above: Array, equal: Array
) -> None:
    """Count for each phone the items whose score is above, and those whose score is level with, its target's.

    Phones go through the table together, as many as a tile is wide; a phone's counts do not depend on who they are.

    Args:
        states: [D, d] float32.
        table: Item embeddings [n_items + 1, d]; the first is padding.
        targets: Item ids [D].
        log: Items that phones are not asked for, those of phone p at ``starts[p]`` to ``ends[p]``.
        starts: [D].
        ends: [D].
        room: States and targets by column [2, d, COLUMNS], scores [COLUMNS], zeros [d], counts int32 [2, COLUMNS],
            words uint64 [n_items + 1], words of the last items [4], addresses [3, COLUMNS].
        above: Out, [D]; -1 where the target itself is not asked for.
        equal: Out, [D], the target included.
    """
    columns, wanted, nil, counts, words, last, places = room
    dim, items = table.shape[1], table.shape[0] - 1
    for first in range(0, states.shape[0], COLUMNS):
        phones = min(COLUMNS, states.shape[0] - first)
        width = (phones + LANES - 1) // LANES * LANES
        words[:] = 0
        for p in range(phones):
            mine = np.uint64(1) << np.uint64(p)
            for at in range(starts[first + p], ends[first + p]):
                words[log[at]] |= mine
        one = np.float32(1)
        for n, rows in ((0, states[first:]), (1, table)):
            for p in range(phones):
                places[0, p] = address(rows) + 4 * dim * (p if n == 0 else targets[first + p])
                places[1, p] = address(nil)
            as_columns(places[0], places[1], phones, dim, one, nil, columns[n])
        matched(width, address(columns[0]), address(columns[1]), 4 * COLUMNS, dim, address(wanted))
        counts[:] = 0
        for item in range(1, items + 1, ROWS):
            at = address(words) + 8 * item
            for r in range(ROWS):
                places[2, r] = address(table) + 4 * dim * min(item + r, items)
            if item + ROWS > items + 1:
                for r in range(ROWS):
                    last[r] = words[item + r] if item + r <= items else ~np.uint64(0)
                at = address(last)
            tally(
                width,
                address(columns[0]),
                4 * COLUMNS,
                address(places[2]),
                dim,
                address(wanted),
                at,
                address(counts[0]),
                address(counts[1]),
            )
        for p in range(phones):
            known = words[targets[first + p]] >> np.uint64(p) & np.uint64(1)
            above[first + p], equal[first + p] = -1 if known else counts[0, p], counts[1, p]


@compiled
def score_listed(states: Array, table: Array, listed: Array, room: tuple[Array, ...], out: Array) -> None:
    """Score for each phone the items of its own list, summed in the order of `count_all`.

    Args:
        states: [D, d] float32.
        table: [n_items + 1, d].
        listed: Item ids [D, n].
        room: Items by column [d, n in whole vectors], zeros [d], scores [n in whole vectors], numbers that nobody reads [the same],
            addresses [4, n in whole vectors and at least d].
        out: float32 [D, n].
    """
    columns, nil, scores, waste, places = room
    dim, count = table.shape[1], listed.shape[1]
    wide, one = columns.shape[1], np.float32(1)
    for d in range(states.shape[0]):
        for n in range(count):
            places[0, n], places[1, n] = address(table) + 4 * dim * listed[d, n], address(nil)
        as_columns(places[0], places[1], count, dim, one, nil, columns)
        if d + 1 < states.shape[0]:
            ask_for(listed[d + 1], table)
        for k in range(dim):
            places[0, k], places[1, k] = address(columns) + 4 * wide * k, 4 * k
        places[2, 0], places[3, 0] = address(states[d]), address(scores)
        multiply(places[0], places[2], filled(NONE + 1, places[2], places[3], waste), places[1], dim, places[3], NONE, wide, NO, NOTHING)
        out[d] = scores[:count]


@compiled
def score_all(states: Array, table: Array, room: tuple[Array, ...], out: Array) -> None:
    """Score all items for each phone, summed in the order of `count_all`.

    Args:
        states: [D, d] float32.
        table: [n_items + 1, d].
        room: States by column [d, COLUMNS], zeros [d], numbers that nobody reads [COLUMNS], addresses [2, d and COLUMNS], and of items
            [2, n_items + 1 in whole tiles].
        out: float32 [blocks of COLUMNS phones, n_items + 1, COLUMNS].
    """
    columns, nil, waste, places, listed = room
    dim, items, one = table.shape[1], table.shape[0], np.float32(1)
    for block in range(out.shape[0]):
        first = block * COLUMNS
        phones = min(COLUMNS, states.shape[0] - first)
        for p in range(phones):
            places[0, p], places[1, p] = address(states[first + p]), address(nil)
        as_columns(places[0], places[1], phones, dim, one, nil, columns)
        for k in range(dim):
            places[0, k], places[1, k] = address(columns) + 4 * COLUMNS * k, 4 * k
        for item in range(items):
            listed[0, item], listed[1, item] = address(table) + 4 * dim * item, address(out[block]) + 4 * COLUMNS * item
        rows = filled(NONE + items, listed[0], listed[1], waste)
        multiply(places[0], listed[0], rows, places[1], dim, listed[1], NONE, (phones + 7) // 8 * 8, NO, NOTHING)


@compiled
def count_popular(
    counts: Array, above: Array, level: Array, targets: Array, log: Array, starts: Array, ends: Array, last: Array, rank: Array
) -> None:
    """Rank each target by how often items occur, without those that its user had; each item counts once.

    Args:
        counts: Of each item [n_items + 1].
        above: Items that occur more often than each target, [D].
        level: Items that occur as often, itself included, [D].
        targets: Item ids [D].
        log: What users had, those of user d at ``starts[d]`` to ``ends[d]``.
        starts: [D].
        ends: [D].
        last: -1 for each item: the user who was last seen with it.
        rank: Out, [D].
    """
    for d in range(targets.size):
        target = targets[d]
        higher, equal, mine = above[d], level[d], counts[target]
        for at in range(starts[d], ends[d]):
            item = log[at]
            if last[item] != d:
                last[item] = d
                higher -= 1 if counts[item] > mine else 0
                equal -= 1 if counts[item] == mine else 0
        missed = last[target] == d and starts[d] < ends[d]
        rank[d] = counts.size if missed else 1.0 + higher + 0.5 * max(equal - 1, 0)
