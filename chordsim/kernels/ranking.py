"""Ranks behind the switch: the place of a phone's target among all items, without a table of phones by items."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor
from torch.utils.weak import WeakIdKeyDictionary

from chordsim.arrays import Bools, Floats, Ints
from chordsim.config.model import ProtocolConfig
from chordsim.data.history import Spans
from chordsim.kernels.lanes import whole_vectors

Array = np.ndarray[Any, Any]
#: Products of numbers whose sizes add up to less are finite, in whatever order they are summed.
_SAFE = 1e38
_largest: MutableMapping[Tensor, float] = WeakIdKeyDictionary()


def rank_states(states: Tensor, table: Tensor, targets: Ints, seen: Spans, protocol: ProtocolConfig) -> tuple[Floats, Bools]:
    """Return the rank of each target among all items by the product of state and item, as `chordsim.evaluate.rank_scores` does.

    The target's score comes from the same product, summed in the same order, as all others, and a phone's rank does not depend on who
    else is there. No score is kept, so a large catalogue takes no memory.

    Args:
        states: [D, d] float32.
        table: Item embeddings [n_items + 1, d] float32; the first is padding.
        targets: Item ids [D].
        seen: What each user had before.
        protocol: Whether seen items are masked; what is ranked is ``all``.

    Returns:
        Ranks [D] as `rank_scores` gives them, and whether all scores of a phone are numbers.
    """
    from chordsim.kernels.native.counting import count_all
    from chordsim.kernels.native.vector import COLUMNS

    given, items = _rows(states), _rows(table)
    phones, dim = given.shape
    spans = seen if protocol.mask_seen else Spans(seen.items, seen.starts, seen.starts)
    room = (
        np.zeros((2, dim, COLUMNS), np.float32),
        np.zeros(COLUMNS, np.float32),
        np.zeros(dim, np.float32),
        np.zeros((2, COLUMNS), np.int32),
        np.zeros(len(items), np.uint64),
        np.zeros(4, np.uint64),
        np.zeros((3, COLUMNS), np.int64),
    )
    above, equal = np.empty(phones, np.int64), np.empty(phones, np.int64)
    count_all(given, items, targets, spans.items, spans.starts, spans.ends, room, above, equal)
    rank: Floats = 1.0 + above + 0.5 * np.maximum(equal - 1, 0)
    rank[above < 0] = len(items)
    usable = np.ones(phones, np.bool_)
    with np.errstate(over="ignore", invalid="ignore"):
        wild = np.flatnonzero(~(np.abs(given).sum(1, dtype=np.float64) * _most(table) < _SAFE))
    if wild.size:
        rank[wild], usable[wild] = _one_by_one(given[wild], items, targets[wild], seen.of(wild), protocol)
    return rank, usable


def score_items(states: Tensor, table: Tensor, listed: Ints) -> npt.NDArray[np.float32]:
    """Return the scores of item ids [D, n], phone by phone, summed in the order of `rank_states`.

    Args:
        states: [D, d] float32.
        table: Item embeddings [n_items + 1, d] float32.
        listed: Item ids; 0 pads and has a score like any other.
    """
    from chordsim.kernels.native.counting import score_listed

    given, items = _rows(states), _rows(table)
    dim, wide = items.shape[1], whole_vectors(listed.shape[1])
    room = (
        np.zeros((dim, wide), np.float32),
        np.zeros(dim, np.float32),
        np.zeros(wide, np.float32),
        np.zeros(wide, np.float32),
        np.zeros((4, max(wide, dim)), np.int64),
    )
    out = np.empty(listed.shape, np.float32)
    score_listed(given, items, listed, room, out)
    return out


def score_all(states: Tensor, table: Tensor) -> npt.NDArray[np.float32]:
    """Return the scores of all items, [D, n_items + 1], summed in the order of `rank_states`."""
    from chordsim.kernels.native.counting import score_all as scored
    from chordsim.kernels.native.vector import COLUMNS, ROWS

    given, items = _rows(states), _rows(table)
    dim = items.shape[1]
    room = (
        np.zeros((dim, COLUMNS), np.float32),
        np.zeros(dim, np.float32),
        np.zeros(COLUMNS, np.float32),
        np.zeros((2, max(dim, COLUMNS)), np.int64),
        np.zeros((2, len(items) + ROWS), np.int64),
    )
    out = np.empty((-(-len(given) // COLUMNS), len(items), COLUMNS), np.float32)
    scored(given, items, room, out)
    return np.ascontiguousarray(out.transpose(0, 2, 1).reshape(-1, len(items))[: len(given)])


def popular_ranks(popularity: Ints, targets: Ints, seen: Spans, protocol: ProtocolConfig) -> Floats:
    """Return the rank of each target in the popularity list, as `chordsim.evaluate.fallback_ranks` does where all items are ranked.

    Args:
        popularity: How often each item occurs, [n_items + 1].
        targets: Item ids [D].
        seen: What each user had before.
        protocol: Whether seen items are masked.
    """
    from chordsim.kernels.native.counting import count_popular

    ordered, wanted = np.sort(popularity[1:]), popularity[targets]
    right = np.searchsorted(ordered, wanted, side="right")
    above, level = ordered.size - right, right - np.searchsorted(ordered, wanted, side="left")
    spans = seen if protocol.mask_seen else Spans(seen.items, seen.starts, seen.starts)
    rank, last = np.empty(targets.size), np.full(popularity.size, -1, np.int64)
    count_popular(popularity, above, level, targets, spans.items, spans.starts, spans.ends, last, rank)
    return rank


def _one_by_one(given: Array, items: Array, targets: Ints, seen: Spans, protocol: ProtocolConfig) -> tuple[Floats, Bools]:
    """Rank phones whose scores may be no numbers by the words of `rank_scores`, one score for each item."""
    from chordsim.evaluate import rank_scores

    with np.errstate(over="ignore", invalid="ignore"):
        scores = given @ items.T
        usable = ~np.isnan(scores.sum(axis=1))
        return rank_scores(scores, targets, seen.pairs(), protocol, (0, targets, 0)), usable


def _rows(table: Tensor) -> Array:
    return np.ascontiguousarray(table.detach().numpy())


def _most(table: Tensor) -> float:
    """Return the largest size of a number in a table; tables do not change."""
    found = _largest.get(table)
    if found is None:
        found = _largest[table] = float(table.detach().abs().amax())
    return found
