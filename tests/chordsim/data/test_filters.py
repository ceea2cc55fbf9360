"""Minimum counts, k-core and samples of users, against a plain reference."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chordsim.data import filters
from chordsim.data.interactions import Interactions
from chordsim.errors import DataError

Rows = list[tuple[int, int]]
ROWS = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 8)), min_size=1, max_size=60)


def naive(rows: Rows, min_user: int, min_item: int, repeat: bool) -> Rows:
    while True:
        items = Counter(i for _, i in rows)
        kept = [r for r in rows if items[r[1]] >= min_item]
        users = Counter(u for u, _ in kept)
        kept = [r for r in kept if users[r[0]] >= min_user]
        if not repeat or kept == rows:
            return kept
        rows = kept


def as_rows(log: Interactions) -> Rows:
    return sorted((int(log.user_tokens[u]), int(log.item_tokens[i])) for u, i in zip(log.rows(), log.items, strict=True))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ROWS, st.integers(1, 5), st.integers(1, 4), st.booleans())
def test_minimum_counts(log_of: Callable[..., Interactions], rows: Rows, min_user: int, min_item: int, repeat: bool) -> None:
    log = log_of([tuple(r) for r in rows])
    expected = sorted(naive(rows, min_user, min_item, repeat))
    if not expected:
        with pytest.raises(DataError, match="nothing is left"):
            filters.minimum_counts(log, min_user, min_item, repeat)
        return
    assert as_rows(filters.minimum_counts(log, min_user, min_item, repeat)) == expected


def test_one_pass_and_core_differ(log_of: Callable[..., Interactions]) -> None:
    log = log_of([(1, 1), (1, 2), (2, 2), (3, 1), (3, 3), (4, 3), (4, 1)])
    assert filters.minimum_counts(log, 2, 2, repeat=False).items.size > filters.minimum_counts(log, 2, 2, repeat=True).items.size


def test_users_too_short_are_dropped_and_noted(log_of: Callable[..., Interactions]) -> None:
    log = log_of([("a", i) for i in range(6)] + [("b", i) for i in range(3)])
    kept = filters.long_enough(log, 4, rounds=1, min_item=1, repeat=True)
    assert list(kept.user_tokens) == ["a"]
    assert kept.source.notes == ("1 users dropped: 1 rounds need 4 interactions of each",)
    with pytest.raises(DataError, match="rounds.count = 9 needs 12 interactions of a user; the most that one has is 6"):
        filters.long_enough(log, 12, rounds=9, min_item=1, repeat=True)


def test_core_holds_after_short_users_left(log_of: Callable[..., Interactions]) -> None:
    log = log_of([(u, i) for u in range(3) for i in range(6)] + [(3, i) for i in (0, 1, 9)] + [(0, 9)])
    kept = filters.long_enough(log, 4, rounds=1, min_item=2, repeat=True)
    assert np.bincount(kept.items)[1:].min() >= 2 and "9" not in kept.item_tokens


def test_samples_are_seeded_and_nested(log_of: Callable[..., Interactions]) -> None:
    log = log_of([(u, i % 7) for u in range(50) for i in range(5)])
    small, large = (filters.sample_users(log, n, seed=3) for n in (10, 20))
    assert small.n_users == 10 and set(small.user_tokens) < set(large.user_tokens)
    assert np.array_equal(small.user_tokens, filters.sample_users(log, 10, seed=3).user_tokens)
    assert not np.array_equal(small.user_tokens, filters.sample_users(log, 10, seed=4).user_tokens)
    assert filters.sample_users(log, 50, seed=3) is log
    assert "10 of 50 users" in small.source.notes[-1]
