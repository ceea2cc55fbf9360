"""The generator: seeded, of the size asked for, skewed, and with structure that a model can learn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chordsim.config.model import DataConfig, SyntheticConfig
from chordsim.data.load import load
from chordsim.data.synthetic import generate
from chordsim.errors import DataError


def test_a_seed_is_a_log() -> None:
    config = SyntheticConfig(users=50)
    assert generate(config, 3).digest() == generate(config, 3).digest()
    assert generate(config, 3).digest() != generate(config, 4).digest()
    assert generate(config, 3).source.how == "synthetic"


@settings(max_examples=40)
@given(
    st.integers(1, 60), st.integers(2, 40), st.integers(1, 40), st.floats(4, 30), *[st.floats(0, 1)] * 2, st.floats(0, 5), st.integers(1, 9)
)
def test_any_setting_gives_that_many_users_and_items(
    users: int, items: int, groups: int, mean: float, drift: float, noise: float, skew: float, shortest: int
) -> None:
    config = SyntheticConfig(
        users=users, items=items, groups=min(groups, items), mean_length=mean, drift=drift, popularity_skew=skew, noise=noise
    )
    log = generate(config, 1, shortest)
    assert (log.n_users, log.n_items) == (users, items)
    assert log.lengths.min() >= max(5, shortest)


def test_lengths_are_spread_around_the_mean() -> None:
    lengths = generate(SyntheticConfig(users=5000, mean_length=30), 1).lengths
    assert 28.5 < lengths.mean() < 31.5 and lengths.std() > 8 and lengths.min() >= 5


def test_popularity_falls_with_the_skew() -> None:
    share = []
    for skew in (0.0, 1.0, 2.0):
        counts = np.sort(np.bincount(generate(SyntheticConfig(users=2000, items=1000, popularity_skew=skew), 1).items))[::-1]
        share.append(counts[:50].sum() / counts.sum())
    assert share[0] < 0.15 < share[1] < share[2]


def test_the_last_item_tells_the_next_unless_all_is_noise() -> None:
    def repeats(noise: float) -> float:
        log = generate(SyntheticConfig(users=3000, items=200, noise=noise, drift=0.0, popularity_skew=0.5), 1)
        first, second = log.items[:-1], log.items[1:]
        inside = np.ones(first.size, bool)
        inside[log.offsets[1:-1] - 1] = False
        counts = np.zeros((201, 201))
        np.add.at(counts, (first[inside], second[inside]), 1)
        return float((np.sort(counts, axis=1)[:, -4:].sum(axis=1) / np.maximum(counts.sum(axis=1), 1))[1:].mean())

    assert repeats(0.1) > 2 * repeats(1.0)


def test_drift_mixes_the_groups() -> None:
    def pairs_met(drift: float) -> float:
        log = generate(SyntheticConfig(users=800, items=1000, groups=20, mean_length=10, noise=0.0, drift=drift, popularity_skew=0.2), 1)
        together = np.zeros((1001, 1001), bool)
        for start, end in zip(log.offsets, log.offsets[1:], strict=False):
            together[np.ix_(log.items[start:end], log.items[start:end])] = True
        return float(together.mean())

    # Without drift or noise a user stays with the 50 items of one group: a twentieth of all pairs at most.
    assert pairs_met(0.0) < 0.055
    assert pairs_met(0.5) > 1.5 * pairs_met(0.0)


def test_users_seldom_repeat_an_item() -> None:
    log = generate(SyntheticConfig(users=500, items=2000), 1)
    distinct = sum(np.unique(log.items[a:b]).size for a, b in zip(log.offsets, log.offsets[1:], strict=False))
    assert distinct > 0.99 * log.items.size


def test_no_user_is_lost_to_many_rounds() -> None:
    config = DataConfig(source="synthetic", synthetic=SyntheticConfig(users=70, mean_length=5))
    log, held = load(config, rounds=9, seed=1)
    assert log.n_users == 70 and log.lengths.min() == 12 and held.rounds == 9


def test_more_groups_than_items() -> None:
    with pytest.raises(DataError, match="data.synthetic.groups = 9 is more than data.synthetic.items = 8"):
        generate(SyntheticConfig(items=8, groups=9), 1)


def test_ratings_of_synthetic_data() -> None:
    with pytest.raises(DataError, match="data.min_rating"):
        load(DataConfig(source="synthetic", min_rating=3), 1, 1)
