"""References without training, written apart from `chordsim.methods.counts`: popularity and first-order Markov scores."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chordsim.arrays import Floats, Ints
from chordsim.data.split import TrainLogs


@dataclass(frozen=True)
class Transitions:
    """How often one item directly follows another in training, as sparse rows.

    Attributes:
        nexts: Following items, ordered by the item that they follow, shape [P].
        counts: How often, shape [P].
        offsets: Item i's followers are ``nexts[offsets[i]:offsets[i + 1]]``, shape [n_items + 2].
        popularity: `popularity_scores` of the same logs, shape [n_items + 1].
    """

    nexts: Ints
    counts: Ints
    offsets: Ints
    popularity: Floats

    @classmethod
    def of(cls, logs: TrainLogs) -> Transitions:
        """Count the transitions inside each user's training part."""
        inside = np.ones(max(logs.items.size - 1, 0), np.bool_)
        borders = logs.offsets[1:-1]
        inside[borders[(borders > 0) & (borders < logs.items.size)] - 1] = False
        width = logs.n_items + 1
        pairs, counts = np.unique(logs.items[:-1][inside] * width + logs.items[1:][inside], return_counts=True)
        offsets = np.searchsorted(pairs, np.arange(width + 1) * width)
        return cls(pairs % width, counts.astype(np.int64), offsets.astype(np.int64), popularity_scores(logs))


def popularity_scores(logs: TrainLogs) -> Floats:
    """Return how often each item occurs in training, shape [n_items + 1]; the padding item scores -inf."""
    scores = logs.popularity.astype(np.float64)
    scores[0] = -np.inf
    return scores


def markov_scores(logs: TrainLogs, last_items: Ints, transitions: Transitions | None = None) -> Floats:
    """Score all items by how often they directly followed the user's last item, ties broken by popularity.

    Args:
        logs: What the cloud may see.
        last_items: Each user's last known item, shape [D]; 0 for none.
        transitions: `Transitions.of(logs)`, to count only once over many calls.

    Returns:
        Scores [D, n_items + 1]; whole part: the count, fraction: popularity; the padding item scores -inf.
    """
    table = Transitions.of(logs) if transitions is None else transitions
    tie_break = table.popularity / (table.popularity[1:].max(initial=0.0) + 1.0)
    scores = np.tile(tie_break, (last_items.size, 1))
    first, counts = table.offsets[last_items], table.offsets[last_items + 1] - table.offsets[last_items]
    rows = np.repeat(np.arange(last_items.size), counts)
    cells = np.arange(rows.size) + np.repeat(first - (np.cumsum(counts) - counts), counts)
    scores[rows, table.nexts[cells]] += table.counts[cells]
    return scores
