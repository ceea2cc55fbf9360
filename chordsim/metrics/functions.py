"""The metrics that ship; one of your own registers a spec just like these."""

from __future__ import annotations

import numpy as np

from chordsim import evaluate
from chordsim.arrays import Floats
from chordsim.metrics.spec import MetricSpec, Ranked


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


def _listings(ranked: Ranked) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    """Return in how many lists each item of the catalogue stands, [n_items]."""
    return np.bincount(ranked.lists.reshape(-1), minlength=ranked.n_items + 1)[1:]


HR = MetricSpec("hr", "hit rate at each cut", hr, at_cuts=True)
NDCG = MetricSpec("ndcg", "NDCG at each cut", ndcg, at_cuts=True)
MRR = MetricSpec("mrr", "reciprocal rank", mrr)
COVERAGE = MetricSpec("coverage", "share of the catalogue in anybody's list", coverage, "lists", at_cuts=True, whole=True)
GINI = MetricSpec("gini", "how unequally items are listed, 0 to 1", gini, "lists", "smaller", at_cuts=True, whole=True)
NOVELTY = MetricSpec("novelty", "how little known listed items are, in bits", novelty, "lists", at_cuts=True)
