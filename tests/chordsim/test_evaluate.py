"""Ranks and metrics against one loop per row: ties, masks, repeats, lists, sampled negatives, the fallback."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chordsim import evaluate
from chordsim.config.model import ProtocolConfig, Scenario
from chordsim.errors import ScenarioError

ALL, UNMASKED = ProtocolConfig(), ProtocolConfig(mask_seen=False)
SAMPLED = ProtocolConfig(ranking="sampled-100")
METRICS = ("hr_5", "ndcg_5", "hr_10", "ndcg_10", "mrr")
LISTED, LISTED_UNMASKED = ProtocolConfig(ranking="candidates"), ProtocolConfig(ranking="candidates", mask_seen=False)


def pairs(seen: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    rows = [row for row, items in enumerate(seen) for _ in items]
    return np.array(rows, np.int64), np.array([i for items in seen for i in items], np.int64)


def naive_rank(scores: np.ndarray, target: int, seen: list[int], mask: bool) -> float:
    """Middle rank among the items that are left; a masked target is a miss."""
    if mask and target in seen:
        return float(scores.size)
    others = [scores[i] for i in range(1, scores.size) if i != target and not (mask and i in seen)]
    return 1.0 + sum(s > scores[target] for s in others) + 0.5 * sum(s == scores[target] for s in others)


worlds = st.integers(2, 12).flatmap(
    lambda n_items: st.tuples(
        st.just(n_items),
        st.lists(
            st.tuples(
                st.lists(st.integers(-3, 3), min_size=n_items, max_size=n_items),
                st.integers(1, n_items),
                st.lists(st.integers(1, n_items), max_size=20),
            ),
            min_size=1,
            max_size=6,
        ),
        st.booleans(),
    )
)


@given(worlds)
@settings(max_examples=200)
def test_ranks_of_scores_and_of_popularity_are_the_naive_loop(world: tuple) -> None:
    """Scores are small whole numbers, so ties are common; seen items repeat."""
    n_items, rows, mask = world
    protocol = ALL if mask else UNMASKED
    scores = np.array([[9, *values] for values, _, _ in rows], np.float32)
    targets, seen = np.array([target for _, target, _ in rows]), [had for _, _, had in rows]
    expected = [naive_rank(s, t, had, mask) for s, t, had in zip(scores, targets, seen, strict=True)]
    got = evaluate.rank_scores(scores.copy(), targets, pairs(seen), protocol, (1, np.arange(len(rows)), 1))
    assert got.tolist() == expected
    popularity = np.array([0, *(v + 3 for v in rows[0][0])])
    counts = np.tile(popularity, (len(rows), 1)).astype(np.float32)
    by_scores = evaluate.rank_scores(counts, targets, pairs(seen), protocol, (1, np.arange(len(rows)), 1))
    assert np.array_equal(evaluate.fallback_ranks(popularity, targets, pairs(seen), protocol), by_scores)


def test_padding_is_never_ranked_and_what_is_no_number_has_no_rank() -> None:
    scores = np.array([[99, 1, 2, 3], [0, np.nan, 2, 3], [0, 1, 2, np.inf]], np.float32)
    got = evaluate.rank_scores(scores, np.array([3, 1, 3]), pairs([[], [], []]), ALL, (1, np.arange(3), 1))
    assert got[0] == 1 and np.isnan(got[1]) and np.isnan(got[2])


lists = st.integers(3, 9).flatmap(
    lambda n: st.tuples(
        st.just(n),
        st.lists(
            st.tuples(st.lists(st.integers(0, n), min_size=5, max_size=5), st.integers(1, n), st.lists(st.integers(1, n), max_size=6)),
            min_size=1,
            max_size=5,
        ),
        st.booleans(),
    )
)


@given(lists)
@settings(max_examples=200)
def test_ranks_in_lists_are_the_naive_loop(world: tuple) -> None:
    """Lists may hold padding, seen items, and items twice: then the first place counts."""
    n_items, rows, mask = world
    expected = []
    for listed, target, had in rows:
        left = [i for i in listed if i > 0 and not (mask and i in had)]
        expected.append(float(left.index(target) + 1) if target in left else n_items + 1.0)
    ranking, targets = np.array([r[0] for r in rows]), np.array([r[1] for r in rows])
    got = evaluate.rank_list(ranking, targets, pairs([r[2] for r in rows]), n_items, ALL if mask else UNMASKED)
    assert got.tolist() == expected


listed_worlds = st.integers(3, 12).flatmap(
    lambda n: st.tuples(
        st.just(n),
        st.lists(
            st.tuples(
                st.lists(st.integers(-3, 3), min_size=n, max_size=n),
                st.integers(1, n),
                st.lists(st.integers(1, n), max_size=8),
                st.lists(st.integers(1, n), max_size=6, unique=True),
            ),
            min_size=1,
            max_size=6,
        ),
        st.booleans(),
    )
)


@given(listed_worlds)
@settings(max_examples=200)
def test_ranks_among_candidates_are_the_naive_loop(world: tuple) -> None:
    """Of scores, of ordered lists and of popularity: what is no candidate is as if it were not there, the target too."""
    n_items, rows, mask = world
    protocol = LISTED if mask else LISTED_UNMASKED
    scores = np.array([[9, *values] for values, _, _, _ in rows], np.float32)
    targets, seen = np.array([r[1] for r in rows]), pairs([r[2] for r in rows])
    candidates = np.array([[*r[3], *[0] * (6 - len(r[3]))] for r in rows])
    ranking = np.argsort(-scores[:, 1:], axis=1, kind="stable") + 1
    popularity = np.array([0, *(value + 3 for value in rows[0][0])])
    by_score, by_place, by_count = [], [], []
    for (_, target, had, asked), row, order in zip(rows, scores, ranking, strict=True):
        left = [i for i in asked if not (mask and i in had)]
        others = [i for i in left if i != target]
        for out, worth in ((by_score, row), (by_count, popularity)):
            above, equal = sum(worth[i] > worth[target] for i in others), sum(worth[i] == worth[target] for i in others)
            out.append(1.0 + above + 0.5 * equal if target in left else n_items + 1.0)
        shown = [i for i in order if i in left]
        by_place.append(shown.index(target) + 1.0 if target in left else n_items + 1.0)
    draw = (1, np.arange(len(rows)), 1)
    assert evaluate.rank_scores(scores.copy(), targets, seen, protocol, draw, candidates).tolist() == by_score
    assert evaluate.rank_list(ranking, targets, seen, n_items, protocol, candidates).tolist() == by_place
    assert evaluate.fallback_ranks(popularity, targets, seen, protocol, candidates).tolist() == by_count


def test_all_items_as_candidates_are_all_items() -> None:
    rng = np.random.default_rng(5)
    scores, targets = rng.integers(-4, 4, (40, 31)).astype(np.float32), rng.integers(1, 31, 40)
    seen = pairs([rng.integers(1, 31, 6).tolist() for _ in range(40)])
    everything = np.stack([rng.permutation(30) + 1 for _ in range(40)])
    draw = (1, np.arange(40), 1)
    whole = evaluate.rank_scores(scores.copy(), targets, seen, ALL, draw)
    assert np.array_equal(evaluate.rank_scores(scores.copy(), targets, seen, LISTED, draw, everything), whole)
    counts = rng.integers(0, 9, 31)
    counts[0] = 0
    among_all = evaluate.fallback_ranks(counts, targets, seen, ALL)
    assert np.array_equal(evaluate.fallback_ranks(counts, targets, seen, LISTED, everything), among_all)


def test_a_list_has_no_rank_among_sampled_negatives() -> None:
    with pytest.raises(ScenarioError, match='use "all"'):
        evaluate.rank_list(np.ones((1, 1), np.int64), np.array([1]), pairs([[]]), 200, SAMPLED)


def test_sampled_ranks_count_100_negatives_outside_history_and_target() -> None:
    rng = np.random.default_rng(3)
    rows, n_items = 300, 400
    scores = rng.normal(size=(rows, n_items + 1)).astype(np.float32)
    targets, users = rng.integers(1, n_items + 1, rows), np.arange(rows)
    seen = [rng.choice(np.setdiff1d(np.arange(1, n_items + 1), [t]), 50, replace=False).tolist() for t in targets]

    def ranks(protocol: ProtocolConfig, values: np.ndarray, seed: int = 1, round: int = 1) -> np.ndarray:
        return evaluate.rank_scores(values.copy(), targets, pairs(seen), protocol, (seed, users, round))

    got, full = ranks(SAMPLED, scores), ranks(ALL, scores)
    assert np.array_equal(got, ranks(SAMPLED, scores)) and not np.array_equal(got, ranks(SAMPLED, scores, round=2))
    assert ((got >= 1) & (got <= 101)).all()
    # Of 349 candidates 100 are drawn, so sampled ranks follow full ones at that rate.
    assert abs((got - 1).mean() / (full - 1).mean() - 100 / 349) < 0.02
    worst = scores.copy()
    worst[np.arange(rows), targets] = -9
    assert (ranks(SAMPLED, worst) == 101).all()
    worst[pairs(seen)] = 50
    assert (ranks(SAMPLED, worst) == 101).all()
    best = scores.copy()
    best[np.arange(rows), targets] = 9
    assert (ranks(SAMPLED, best) == 1).all()


FEW = [(1682, 40, True), (160, 40, True), (141, 40, True), (120, 40, True), (101, 30, False)]


@pytest.mark.parametrize(("n_items", "had", "mask"), FEW)
def test_negatives_are_distinct_and_all_that_are_left_where_they_are_few(n_items: int, had: int, mask: bool) -> None:
    """Scores are all different, so that a target worth less than ``k`` of the negatives stands at rank ``k + 1``."""
    rng = np.random.default_rng(n_items)
    rows = 60
    order = np.stack([rng.permutation(n_items) + 1 for _ in range(rows)])
    scores = np.zeros((rows, n_items + 1), np.float32)
    np.put_along_axis(scores, order, np.tile(np.arange(n_items, dtype=np.float32), (rows, 1)), 1)
    targets = order[:, 0]
    seen = pairs([row[1 : 1 + had].tolist() for row in order])
    left = n_items - 1 - (had if mask else 0)
    protocol = ProtocolConfig(ranking="sampled-100", mask_seen=mask)
    worst = evaluate.rank_scores(scores.copy(), targets, seen, protocol, (1, np.arange(rows), 1))
    assert (worst == 1 + min(left, 100)).all(), "an item that was drawn twice would stand above the target twice"
    scores[np.arange(rows), targets] = n_items // 2 + 0.5
    above = evaluate.rank_scores(scores.copy(), targets, seen, protocol, (1, np.arange(rows), 1)) - 1
    masked = np.arange(1, 1 + had) > n_items // 2
    share = (n_items - 1 - n_items // 2 - (masked.sum() if mask else 0)) / left
    assert np.unique(above).size == 1 if left <= 100 else abs(above.mean() / 100 - share) < 4 * 0.05 / math.sqrt(rows)


def test_every_item_is_as_likely_a_negative_as_another() -> None:
    """Both ways of drawing: by uniform draws, and by an order of all items where those hold too few."""
    users, round = np.arange(4000), 1
    for n_items in (300, 125):
        scores = np.zeros((users.size, n_items + 1), np.float32)
        scores[:, 0] = -np.inf
        scores[:, 1:] = np.arange(1, n_items + 1)
        drawn = evaluate._negatives(scores, np.full(users.size, n_items), (1, users, round))
        counts = np.bincount(drawn.astype(np.int64).reshape(-1), minlength=n_items + 1)
        expected = users.size * 100 / (n_items - 1)
        assert counts[0] == counts[n_items] == 0
        assert (np.abs(counts[1:n_items] - expected) < 5 * math.sqrt(expected)).all()


def test_negatives_are_a_users_own_whoever_stands_beside_them() -> None:
    rng = np.random.default_rng(4)
    scores = rng.normal(size=(20, 301)).astype(np.float32)
    targets, users = rng.integers(1, 301, 20), rng.permutation(1000)[:20]
    together = evaluate.rank_scores(scores.copy(), targets, pairs([[]] * 20), SAMPLED, (1, users, 2))
    for d in range(20):
        alone = evaluate.rank_scores(scores[d : d + 1].copy(), targets[d : d + 1], pairs([[]]), SAMPLED, (1, users[d : d + 1], 2))
        assert alone[0] == together[d]


def test_metrics_are_their_definitions() -> None:
    ranks = np.array([1, 1.5, 2, 5, 5.5, 6, 10, 10.5, 11, 100, 101, np.nan])
    got = evaluate.metrics(ranks, 100)
    for place, rank in enumerate(ranks):
        for cut in (5, 10):
            inside = rank < cut + 1
            expected = (math.nan, math.nan) if math.isnan(rank) else (float(inside), inside / math.log2(rank + 1))
            assert np.allclose((got[f"hr_{cut}"][place], got[f"ndcg_{cut}"][place]), expected, equal_nan=True)
        mrr = math.nan if math.isnan(rank) else (1 / rank if rank <= 100 else 0.0)
        assert np.allclose(got["mrr"][place], mrr, equal_nan=True)


@pytest.mark.parametrize("n_items", [1, 2, 4, 5, 9, 10, 11, 100])
def test_a_miss_scores_nothing_whatever_the_size_of_the_catalogue(n_items: int) -> None:
    """A masked target, one that no list holds, one among unlisted candidates: none is within k where all items are."""
    scores, target = np.ones((1, n_items + 1), np.float32), np.array([n_items])
    seen, nothing, draw = pairs([[n_items]]), np.zeros((1, 3), np.int64), (1, np.zeros(1, np.int64), 1)
    popularity = np.arange(n_items + 1)
    missed = [
        evaluate.rank_scores(scores.copy(), target, seen, ALL, draw),
        evaluate.rank_scores(scores.copy(), target, pairs([[]]), LISTED, draw, nothing),
        evaluate.rank_list(np.full((1, 2), n_items), target, seen, n_items, ALL),
        evaluate.rank_list(nothing, target, pairs([[]]), n_items, ALL),
        evaluate.fallback_ranks(popularity, target, seen, ALL),
        evaluate.fallback_ranks(popularity, target, pairs([[]]), LISTED, nothing),
    ]
    for rank in missed:
        assert {name: float(values[0]) for name, values in evaluate.metrics(rank, n_items).items()} == dict.fromkeys(METRICS, 0.0)
    last = evaluate.metrics(np.array([float(n_items)]), n_items)
    assert last["mrr"][0] == 1 / n_items and last["hr_10"][0] == (n_items <= 10) and last["hr_5"][0] == (n_items <= 5)


def test_the_manifest_says_in_words_how_ranks_were_made() -> None:
    told = {p: evaluate.describe(Scenario(protocol=p)) for p in (ALL, UNMASKED, SAMPLED, LISTED)}
    assert "100 distinct negatives, uniform" in told[SAMPLED]["ranking"] and told[ALL]["ranking"] == "all items"
    assert told[ALL]["seen_items"] != told[UNMASKED]["seen_items"]
    assert len({told[p]["ranking"] for p in (ALL, SAMPLED, LISTED)}) == 3
    assert {"retriever", "candidates_bytes", "fallback"} == set(told[LISTED]) - set(told[ALL])
