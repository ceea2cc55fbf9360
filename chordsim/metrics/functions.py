"""The metrics that ship; one of your own registers a spec just like these."""

from __future__ import annotations

import numpy as np

from chordsim import evaluate
from chordsim.arrays import Floats, Ints
from chordsim.metrics.spec import MetricSpec, Ranked

#: Groups of items by how often they occur, and the share of all interactions that the first and the last of them have.
_GROUPS, _END = 3, 0.2


def hr(ranked: Ranked) -> Floats:
    """Return whether the target is within the cut, [D]."""
    return evaluate.metrics(ranked.rank, ranked.n_items, (ranked.cut,))[f"hr_{ranked.cut}"]


def ndcg(ranked: Ranked) -> Floats:
    """Return NDCG at the cut, [D]."""
    return evaluate.metrics(ranked.rank, ranked.n_items, (ranked.cut,))[f"ndcg_{ranked.cut}"]


def mrr(ranked: Ranked) -> Floats:
    """Return the reciprocal rank, [D]."""
    return evaluate.metrics(ranked.rank, ranked.n_items, ())["mrr"]


def coverage(ranked: Ranked) -> Floats:
    """Return the share of the catalogue that stands in at least one list (Ge et al., RecSys 2010, catalog coverage), [1]."""
    return np.array([np.count_nonzero(_listings(ranked)) / ranked.n_items])


def gini(ranked: Ranked) -> Floats:
    """Return how unequally items of the catalogue are listed: 0 if all are as often, near 1 if few are (Fleder and Hosanagar 2009), [1]."""
    often = np.sort(_listings(ranked)).astype(np.float64)
    places = 2 * np.arange(1, often.size + 1) - often.size - 1
    return np.array([(places * often).sum() / (often.size * often.sum()) if often.any() else np.nan])


def novelty(ranked: Ranked) -> Floats:
    """Return the mean of minus log2 of each listed item's share of the cloud's interactions (Zhou et al., PNAS 2010), bits, [D].

    Every item is counted once more than it occurs (ours, inference), so that one that the cloud never met has a share too.
    """
    counts = ranked.item_counts + 1.0
    bits = -np.log2(counts / counts[1:].sum())
    some = ranked.lists > 0
    listed = some.sum(1)
    return np.where(listed > 0, (bits[ranked.lists] * some).sum(1) / np.maximum(listed, 1), np.nan)


def calibration(ranked: Ranked) -> Floats:
    """Return how far each list's shares of well, less and little known items are from the log's, 0 (alike) to 1 (apart), [D].

    The Jensen-Shannon divergence, in bits, of calibration (Steck, RecSys 2018) between groups of items by how often they occur:
    those that make a fifth of all interactions from the top, those that make a fifth from the bottom, and the rest (Abdollahpouri
    et al., UMAP 2021). They compare with the user's own history; a metric sees none, so this compares with everybody's.
    """
    groups, some = _by_popularity(ranked.item_counts), ranked.lists > 0
    log = np.bincount(groups[1:], ranked.item_counts[1:], _GROUPS).astype(np.float64)
    counts = np.stack([((groups[ranked.lists] == group) & some).sum(1) for group in range(_GROUPS)], 1)
    if not log.any():
        return np.full(ranked.rank.shape, np.nan)
    listed = counts.sum(1)
    shares, log = counts / np.maximum(listed, 1)[:, None], log / log.sum()
    middle = (shares + log) / 2
    apart = (_divergence(shares, middle) + _divergence(np.broadcast_to(log, shares.shape), middle)) / 2
    return np.where(listed > 0, apart, np.nan)


def _by_popularity(item_counts: Ints) -> Ints:
    """Return the group of each item, [n_items + 1]: 0 well known, 1 less, 2 little. Of items that occur as often, smaller ids go first."""
    order = np.argsort(-item_counts[1:], kind="stable")
    before = np.cumsum(item_counts[1:][order]) - item_counts[1:][order]  # interactions of all items that are better known
    total = max(int(item_counts[1:].sum()), 1)
    groups = np.zeros(item_counts.size, np.int64)
    groups[1 + order] = np.where(before < _END * total, 0, np.where(before < (1 - _END) * total, 1, 2))
    return groups


def _divergence(shares: Floats, others: Floats) -> Floats:
    """Return Kullback and Leibler's divergence of each row from the other's, in bits, [D]."""
    some = shares > 0
    ratio = np.where(some, shares, 1.0) / np.where(some, others, 1.0)
    return np.asarray(np.where(some, shares * np.log2(ratio), 0.0).sum(1), np.float64)


def _listings(ranked: Ranked) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    """Return in how many lists each item of the catalogue stands, [n_items]."""
    return np.bincount(ranked.lists.reshape(-1), minlength=ranked.n_items + 1)[1:]


HR = MetricSpec("hr", "hit rate at each cut", hr, at_cuts=True)
NDCG = MetricSpec("ndcg", "NDCG at each cut", ndcg, at_cuts=True)
MRR = MetricSpec("mrr", "reciprocal rank", mrr)
COVERAGE = MetricSpec("coverage", "share of the catalogue in anybody's list", coverage, "lists", at_cuts=True, whole=True)
GINI = MetricSpec("gini", "how unequally items are listed, 0 to 1", gini, "lists", "smaller", at_cuts=True, whole=True)
NOVELTY = MetricSpec("novelty", "how little known listed items are, in bits", novelty, "lists", at_cuts=True)
CALIBRATION = MetricSpec(
    "calibration", "how far lists are from the log in well and little known items", calibration, "lists", "smaller", at_cuts=True
)
