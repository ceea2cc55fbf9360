"""Ranks that are counted as scores come are those of the evaluator, phone by phone, whoever else is there."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from chordsim import evaluate
from chordsim.config.model import ProtocolConfig
from chordsim.data.history import Spans
from chordsim.kernels.ranking import popular_ranks, rank_states, score_all, score_items

ALL, OPEN = ProtocolConfig(), ProtocolConfig(mask_seen=False)


def case(seed: int, phones: int, items: int, dim: int, mean: int, *, ties: bool) -> tuple:
    """States, item table, targets and what users had; whole numbers make ties that no order of sums can break."""
    made, rng = torch.Generator().manual_seed(seed), np.random.default_rng(seed)
    states, table = torch.randn(phones, dim, generator=made), torch.randn(items + 1, dim, generator=made)
    if ties:
        states, table = states.round(), table.round()
    lengths = rng.integers(0, 2 * mean + 1, phones)
    ends = np.cumsum(lengths)
    log = rng.integers(1, items + 1, int(ends[-1]) + 1).astype(np.int32)
    return states, table, rng.integers(1, items + 1, phones), Spans(log, ends - lengths, ends)


def expected(states: torch.Tensor, table: torch.Tensor, targets: np.ndarray, seen: Spans, protocol: ProtocolConfig) -> np.ndarray:
    scores = (states @ table.T).numpy()
    return evaluate.rank_scores(scores, targets, seen.pairs(), protocol, (0, targets, 0))


@pytest.mark.parametrize(
    ("phones", "items", "dim", "mean"),
    [(1, 1, 4, 1), (3, 10, 4, 3), (16, 5, 36, 2), (65, 77, 36, 20), (130, 1003, 64, 80), (256, 3416, 64, 165)],
)
@pytest.mark.parametrize("protocol", [ALL, OPEN])
def test_ranks_are_those_of_the_evaluator(phones: int, items: int, dim: int, mean: int, protocol: ProtocolConfig) -> None:
    found = set()
    for seed in range(6):
        given = case(seed, phones, items, dim, mean, ties=True)
        rank, usable = rank_states(*given, protocol)
        assert np.array_equal(rank, expected(*given, protocol)) and usable.all()
        found |= {bool(value % 1) for value in rank}
    assert items < 3 or found == {False, True}  # middle ranks of ties were among them


def test_ranks_are_equal_wherever_scores_differ() -> None:
    for seed in range(3):
        states, table, targets, seen = case(seed, 128, 500, 64, 20, ties=False)
        wanted = (states.double() @ table.double().T).gather(1, torch.from_numpy(targets)[:, None])
        apart = (states.double() @ table.double().T - wanted).abs()
        apart[torch.arange(128), torch.from_numpy(targets)] = torch.inf
        clear = (apart.amin(1) > 1e-5).numpy()
        rank, _ = rank_states(states, table, targets, seen, ALL)
        assert clear.sum() > 64 and np.array_equal(rank[clear], expected(states, table, targets, seen, ALL)[clear])


def test_a_phone_has_the_rank_that_it_has_alone() -> None:
    states, table, targets, seen = case(4, 97, 300, 20, 30, ties=False)
    together, _ = rank_states(states, table, targets, seen, ALL)
    for d in (0, 15, 16, 63, 64, 96):
        one = np.array([d])
        alone, _ = rank_states(states[d : d + 1], table, targets[one], seen.of(one), ALL)
        assert alone[0] == together[d]


def test_the_targets_score_is_level_with_itself_and_nothing_else() -> None:
    # Sums in another order would put a target above or below its own score; no item is like another here.
    states, table, targets, seen = case(5, 256, 800, 64, 0, ties=False)
    rank, _ = rank_states(states, table, targets, seen, OPEN)
    assert (rank % 1 == 0).all()
    scores = score_items(states, table, np.tile(np.arange(801), (256, 1)))
    assert np.array_equal(rank, 1 + (scores[:, 1:] > scores[np.arange(256), targets][:, None]).sum(1))


@pytest.mark.parametrize("value", [np.nan, np.inf, 3e38, 1e30])
def test_scores_that_are_no_numbers_are_told_and_reach_nobody_else(value: float) -> None:
    states, table, targets, seen = case(6, 40, 60, 8, 5, ties=True)
    clean, _ = rank_states(states, table, targets, seen, ALL)
    states[7] = value
    with np.errstate(all="ignore"):
        scores = (states @ table.T).numpy()
        numbers = ~np.isnan(scores.sum(1))
    rank, usable = rank_states(states, table, targets, seen, ALL)
    others = np.arange(40) != 7
    assert np.array_equal(rank[others], clean[others]) and usable[others].all()
    assert usable[7] == numbers[7] and (usable[7] or value != 1e30)  # large, and a number
    with np.errstate(all="ignore"):
        assert not usable[7] or np.array_equal(rank[7:8], expected(states, table, targets, seen, ALL)[7:8], equal_nan=True)


def test_items_of_a_list_are_scored_as_among_all() -> None:
    states, table, _, _ = case(7, 33, 200, 36, 0, ties=False)
    listed = np.random.default_rng(7).integers(0, 201, (33, 21))
    scores = score_items(states, table, listed)
    exact = (table[torch.from_numpy(listed)].double() * states.double()[:, None]).sum(-1).numpy()
    assert np.abs(scores - exact).max() < 1e-5
    assert np.array_equal(scores[5], score_items(states[5:6], table, listed[5:6])[0])
    assert np.array_equal(scores[:, 3], score_items(states, table, listed[:, 3:4])[:, 0])
    every = score_all(states, table)
    assert every.shape == (33, 201) and np.array_equal(np.take_along_axis(every, listed, 1), scores)
    assert np.array_equal(score_all(states[7:9], table), every[7:9])


@pytest.mark.parametrize("protocol", [ALL, OPEN])
def test_popular_ranks_are_those_of_the_evaluator(protocol: ProtocolConfig) -> None:
    for seed in range(20):
        _, _, targets, seen = case(seed, 50, 40, 4, 12, ties=False)
        popularity = np.concatenate([[0], np.random.default_rng(seed).integers(0, 9, 40)])
        want = evaluate.fallback_ranks(popularity, targets, seen.pairs(), protocol)
        assert np.array_equal(popular_ranks(popularity, targets, seen, protocol), want)
