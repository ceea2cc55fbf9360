"""The evaluator: where the target stands in what a phone ranked. It sees targets; methods never do.

Rules, written into the manifest: items that the user already had are masked, a target among them is a miss;
equal scores share the middle rank; a target that is absent from a list, the method's or the cloud's candidates, is a
miss. A miss has rank ``n_items + 1`` and scores 0 in every metric.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from chordsim import seeds
from chordsim.among import among, pairs_of
from chordsim.arrays import Bools, Floats, Ints
from chordsim.config.model import ProtocolConfig, Scenario
from chordsim.data.retriever import CREDIT, VOTERS
from chordsim.errors import ScenarioError

NEGATIVES = 100
_DRAWS_PER_NEGATIVE = 6
CUTS = (5, 10)
#: What a run ranks that computes no recommendation.
NOTHING = "nothing: sizes only"
_RANKED = {
    "all": "all items",
    "candidates": "the cloud's {count} candidates for the user; the target is never added to them, its absence is a miss",
    "sampled-100": (
        f"the target and {NEGATIVES} distinct negatives, uniform among the items that are not masked; all of those where fewer are left"
    ),
}
_HELD_OUT = {
    "last": "last R items of each user; the item before them is validation; histories hold all earlier items",
    "global-time": (
        "first R items of each user after one moment for all, before which {share:g} of the interactions lie; the item before them is "
        "validation; histories hold all earlier items; nothing after that moment is trained on; who did too little after it does not play"
    ),
}
_RETRIEVERS = {
    "counts": (
        f"the same for all methods, from the cloud's logs alone: what stood within {len(CREDIT)} places of the user's last {VOTERS} items "
        "there in anybody's log, then what is popular; a user that the cloud does not know gets the most popular items"
    ),
    "model": (
        "the same for all methods, from the cloud's logs alone: a full-precision backbone of its own, trained with another seed and "
        "compared with nobody; a user that the cloud does not know gets the most popular items"
    ),
}
_CANDIDATES = {
    "candidates_bytes": (
        "ids and embeddings of the list, once a session to every phone that ranks, charged from their length; a method that sends "
        "candidates of its own is charged those alone; phones own the whole table in the bootstrap too, so this is an upper end"
    ),
    "fallback": "the same candidates by popularity",
    "lists": "a target that is absent is a miss; seen items and what is no candidate are taken out of the list first",
}


_CACHED = {
    "candidates_bytes": "ids of the list, once a session to every phone that ranks",
    "items": (
        "the catalogue stays in the cloud: phones keep the rows of {rows} items that they have met, ask for those of the list and of their "
        "history that they lack (asks_bytes), and get them (rows_bytes); a phone that was not served shows the fallback"
    ),
}


def describe(scenario: Scenario) -> dict[str, str]:
    """Return the protocol in words, for the manifest and the summary; without metrics nothing is ranked, whatever else it says."""
    protocol = scenario.protocol
    if protocol.metrics == "none":
        return {"ranking": NOTHING}
    cached = scenario.backbone.cache_rows if scenario.backbone.items == "cached" else 0
    return {
        "ranking": _RANKED[protocol.ranking].format(count=protocol.list_length),
        "seen_items": "masked; a target among them is a miss" if protocol.mask_seen else "ranked like any other",
        "ties": "middle rank",
        "lists": "a target that is absent is a miss; seen items are taken out of the list first",
        "hold_out": _HELD_OUT[scenario.data.split].format(share=scenario.data.train_share),
        **({"retriever": _RETRIEVERS[protocol.retriever] + _own(scenario), **_CANDIDATES} if protocol.ranking == "candidates" else {}),
        **({key: text.format(rows=cached) for key, text in _CACHED.items()} if cached else {}),
    }


def _own(scenario: Scenario) -> str:
    """Return in words what a retriever has of its own."""
    if scenario.retriever is None:
        return ""
    own = scenario.retriever
    trained = {"positions": own.positions} if own.positions else {}
    given = ", ".join(f"{key} {value}" for key, value in {**own.shape, **trained}.items())
    aged = f"; its lists are those of {own.aged} items before the end of the logs" if own.aged else ""
    return (f"; of its own: {given}" if given else "") + aged


def rank_scores(
    scores: npt.NDArray[np.float32],
    targets: Ints,
    seen: tuple[Ints, Ints],
    protocol: ProtocolConfig,
    draw: tuple[int, Ints, int],
    candidates: Ints | None = None,
) -> Floats:
    """Return the rank of each target among the scored items; overwrites masked scores.

    Args:
        scores: Of all items, [D, n_items + 1], finite; column 0 is padding.
        targets: Item ids [D].
        seen: Index pairs (row, item) of what each user had before.
        protocol: What is ranked.
        draw: (seed, user ids [D], round), for the negatives of sampled protocols.
        candidates: What alone is ranked, distinct item ids [D, n] (0 pads), for the protocol of candidates.

    Returns:
        Ranks [D] from 1, halves for ties, ``n_items + 1`` for a miss, NaN where a score is not a number.
    """
    rows = np.arange(targets.size)
    wanted = scores[rows, targets].copy()
    scores[:, 0] = -np.inf
    missed, miss = np.zeros(targets.size, np.bool_), scores.shape[1]
    if protocol.mask_seen:
        scores[seen] = -np.inf
        missed = np.isneginf(scores[rows, targets])
    if protocol.ranking == "candidates":
        assert candidates is not None
        missed |= ~(candidates == targets[:, None]).any(1)
        scores = np.take_along_axis(scores, candidates, 1)
    if protocol.ranking == "sampled-100":
        scores = _negatives(scores, targets, draw)
        above, equal = (scores > wanted[:, None]).sum(1), (scores == wanted[:, None]).sum(1)
    else:
        above, equal = (scores > wanted[:, None]).sum(1), (scores == wanted[:, None]).sum(1) - 1
    rank: Floats = 1.0 + above + 0.5 * np.maximum(equal, 0)
    rank[missed] = miss
    rank[~np.isfinite(wanted)] = np.nan
    return rank


def rank_listed(
    scores: npt.NDArray[np.float32], listed: Ints, targets: Ints, seen: tuple[Ints, Ints], protocol: ProtocolConfig, n_items: int
) -> Floats:
    """Return the rank of each target among the candidates, where those alone were scored.

    Args:
        scores: Of the candidates, [D, N].
        listed: Distinct item ids [D, N], 0 pads.
        targets: Item ids [D].
        seen: Index pairs (row, item) of what each user had before.
        protocol: Whether seen items are masked.
        n_items: Size of the catalogue.

    Returns:
        As `rank_scores`; a target that is not listed is a miss.
    """
    asked = listed > 0
    if protocol.mask_seen:
        asked &= ~among(listed, seen, n_items)
    hit = asked & (listed == targets[:, None])
    # The target's score comes from the same product as its rivals'.
    wanted = np.take_along_axis(scores, hit.argmax(1)[:, None], 1)
    above, equal = (asked & (scores > wanted)).sum(1), (asked & (scores == wanted)).sum(1) - 1
    rank: Floats = 1.0 + above + 0.5 * np.maximum(equal, 0)
    rank[~hit.any(1)] = n_items + 1
    rank[hit.any(1) & ~np.isfinite(wanted[:, 0])] = np.nan
    return rank


def _negatives(scores: npt.NDArray[np.float32], targets: Ints, draw: tuple[int, Ints, int]) -> npt.NDArray[np.float32]:
    """Return the scores of 100 distinct uniform negatives per row, outside what is masked and the target; -inf fills up.

    The first 100 different items of a row of uniform draws are a uniform choice without repetition. Where the draws
    hold fewer, in a small catalogue or beside a long history, an order of all items takes their place.
    """
    seed, users, round = draw
    n_items = scores.shape[1] - 1
    unit = seeds.uniforms(seed, "protocol.negatives", users, round=round, count=NEGATIVES * _DRAWS_PER_NEGATIVE)
    out, enough = _first(scores, 1 + (unit * n_items).astype(np.int64), targets)
    short = np.flatnonzero(~enough)
    if short.size:
        order = 1 + np.argsort(seeds.uniforms(seed, "protocol.negatives.order", users[short], round=round, count=n_items), axis=1)
        out[short], _ = _first(scores[short], order, targets[short])
    return out


def _first(scores: npt.NDArray[np.float32], items: Ints, targets: Ints) -> tuple[npt.NDArray[np.float32], Bools]:
    """Return the scores of each row's first 100 different items that may be a negative, [D, 100], and which rows have so many."""
    order = np.argsort(items, axis=1, kind="stable")
    first = np.ones(items.shape, np.bool_)
    ranked = np.take_along_axis(items, order, 1)
    np.put_along_axis(first, order[:, 1:], ranked[:, 1:] != ranked[:, :-1], 1)
    drawn = np.take_along_axis(scores, items, 1)
    good = first & (drawn > -np.inf) & (items != targets[:, None])
    place = good.cumsum(1)
    good &= place <= NEGATIVES
    out = np.full((targets.size, NEGATIVES), -np.inf, np.float32)
    rows, columns = np.nonzero(good)
    out[rows, place[rows, columns] - 1] = drawn[rows, columns]
    return out, place[:, -1] >= NEGATIVES


def rank_list(
    ranking: Ints, targets: Ints, seen: tuple[Ints, Ints], n_items: int, protocol: ProtocolConfig, candidates: Ints | None = None
) -> Floats:
    """Return the place of each target in an ordered list [D, n] (0 pads), seen items and what is no candidate taken out first.

    Raises:
        ScenarioError: The protocol ranks sampled negatives, for which a list has no scores.
    """
    if protocol.ranking == "sampled-100":
        raise ScenarioError(f'protocol.ranking = "{protocol.ranking}" needs scores, and a method of this scenario sends a list: use "all"')
    listed = ranking > 0
    if protocol.mask_seen:
        listed &= ~among(ranking, seen, n_items)
    if protocol.ranking == "candidates":
        assert candidates is not None
        listed &= among(ranking, pairs_of(candidates), n_items)
    place = np.cumsum(listed, 1)
    hit = listed & (ranking == targets[:, None])
    first = np.take_along_axis(place, hit.argmax(1)[:, None], 1)[:, 0]
    return np.where(hit.any(1), first, n_items + 1).astype(np.float64)


def fallback_ranks(
    popularity: Ints, targets: Ints, seen: tuple[Ints, Ints], protocol: ProtocolConfig, candidates: Ints | None = None
) -> Floats:
    """Return the rank of each target in the popularity list, what a phone shows that was not served.

    The same as `rank_scores` on the counts, without a score per user and item: ranks come from one sorted
    list, minus the seen items that stand above the target. Candidates are few enough to be looked at one by one.
    """
    n_items = popularity.size - 1
    if protocol.ranking == "candidates":
        assert candidates is not None
        return _popular_candidates(popularity, targets, seen, protocol, candidates)
    ordered = np.sort(popularity[1:])
    wanted = popularity[targets]
    above = n_items - np.searchsorted(ordered, wanted, side="right")
    equal = np.searchsorted(ordered, wanted, side="right") - np.searchsorted(ordered, wanted, side="left")
    missed = np.zeros(targets.size, np.bool_)
    if protocol.mask_seen:
        # Sorting and dropping neighbours that are equal is many times faster than the hash table of np.unique.
        pairs = np.sort(seen[0] * (n_items + 1) + seen[1])
        pairs = pairs[np.diff(pairs, prepend=-1) != 0]
        rows, items = pairs // (n_items + 1), pairs % (n_items + 1)
        had = popularity[items]
        above = above - np.bincount(rows, had > wanted[rows], targets.size).astype(np.int64)
        equal = equal - np.bincount(rows, had == wanted[rows], targets.size).astype(np.int64)
        missed = np.bincount(rows, items == targets[rows], targets.size) > 0
    rank: Floats = 1.0 + above + 0.5 * np.maximum(equal - 1, 0)
    rank[missed] = n_items + 1
    return rank


def _popular_candidates(popularity: Ints, targets: Ints, seen: tuple[Ints, Ints], protocol: ProtocolConfig, candidates: Ints) -> Floats:
    asked = candidates > 0
    if protocol.mask_seen:
        asked &= ~among(candidates, seen, popularity.size - 1)
    counts, wanted = popularity[candidates], popularity[targets][:, None]
    above, equal = (asked & (counts > wanted)).sum(1), (asked & (counts == wanted)).sum(1)
    rank: Floats = 1.0 + above + 0.5 * (equal - 1)
    rank[~(asked & (candidates == targets[:, None])).any(1)] = popularity.size
    return rank


def first_items(
    protocol: ProtocolConfig,
    n_items: int,
    seen: tuple[Ints, Ints],
    *,
    scores: npt.NDArray[np.float32] | None = None,
    listed: Ints | None = None,
    candidates: Ints | None = None,
) -> npt.NDArray[np.int32]:
    """Return the first items of what each phone ranked, int32 [D, ``protocol.keep_lists``]; 0 pads where fewer are ranked.

    One rule for all that phones rank by: what is masked for ranks is masked here, and items of equal scores stand by ascending id.

    Args:
        protocol: What is ranked, whether seen items are masked, and how many items are kept.
        n_items: Size of the catalogue.
        seen: Index pairs (row, item) of what each user had before.
        scores: Of all items, [D, n_items + 1]; with ``listed`` of its items, [D, N]; None where ``listed`` stands in order.
        listed: Item ids [D, N], 0 pads; None for all items.
        candidates: What alone is ranked, [D, n] (0 pads); None where ``listed`` says so itself, or everything is ranked.
    """
    if scores is not None and listed is None and candidates is not None:
        scores, listed, candidates = np.take_along_axis(scores, candidates, 1), candidates, None
    if listed is None:
        assert scores is not None
        masked = scores.copy()
        masked[:, 0] = -np.inf
        if protocol.mask_seen:
            masked[seen] = -np.inf
        return _best(masked, np.broadcast_to(np.arange(n_items + 1), masked.shape), protocol.keep_lists)
    asked = listed > 0
    if protocol.mask_seen:
        asked &= ~among(listed, seen, n_items)
    if candidates is not None:
        asked &= among(listed, pairs_of(candidates), n_items)
    by_place = np.broadcast_to(-np.arange(listed.shape[1], dtype=np.float32), listed.shape)
    return _best(np.where(asked, by_place if scores is None else scores, -np.inf), listed, protocol.keep_lists)


def _best(scores: npt.NDArray[np.float32], items: Ints, count: int) -> npt.NDArray[np.int32]:
    """Return the items [D, count] of the highest scores [D, N], by ascending id where these are equal; 0 for what is -inf."""
    rows, wide = scores.shape
    out = np.zeros((rows, count), np.int32)
    if not wide:
        return out
    # Whoever is at least the count-th score is kept, which ties may make more than so many: sorting those few is all that is left.
    least = -np.partition(-scores, min(count, wide) - 1, axis=1)[:, min(count, wide) - 1]
    row, column = np.nonzero((scores >= least[:, None]) & (scores > -np.inf))
    order = np.lexsort((items[row, column], -scores[row, column], row))
    row, column = row[order], column[order]
    place = np.arange(row.size) - np.searchsorted(row, row)
    some = place < count
    out[row[some], place[some]] = items[row[some], column[some]]
    return out


def metrics(rank: Floats, n_items: int, cuts: Sequence[int] = CUTS) -> dict[str, Floats]:
    """Return HR and NDCG at each cut, and MRR, [D] each; NaN where the rank is; a miss scores 0.

    NDCG@k = 1 / log2(rank + 1) up to rank k, since one item is relevant. A middle rank of k + 1/2 still counts as
    within k, as in the reference figures: its position counted from 0 is below k. A miss is within no k, also where
    the catalogue is so small that its rank ``n_items + 1`` would be.
    """
    out: dict[str, Floats] = {}
    unknown = np.isnan(rank)
    safe = np.where(unknown, np.inf, rank)
    gain = math.log(2) / np.log(safe + 1)
    for cut in cuts:
        inside = (safe < cut + 1) & (safe <= n_items)
        out[f"hr_{cut}"] = np.where(unknown, np.nan, inside.astype(np.float64))
        out[f"ndcg_{cut}"] = np.where(unknown, np.nan, np.where(inside, gain, 0.0))
    out["mrr"] = np.where(unknown, np.nan, np.where(safe <= n_items, 1.0 / safe, 0.0))
    return out
