"""Means over users and seeds: the parts of their variance, what happens to few seeds, and p as the interval's other face."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from chordsim.statistics.crossed import NOISE_SHARE, margin, over_seeds, seed_variances


def made(seeds: int, users: int, deviation: float = 0.1, number: int = 0, present: float = 1.0) -> list[np.ndarray]:
    rng = np.random.default_rng(number)
    table = rng.exponential(1.0, users) + deviation * rng.normal(size=(seeds, 1)) + 0.5 * rng.normal(size=(seeds, users))
    return list(np.where(rng.random(table.shape) < present, table, np.nan))


def test_the_parts_are_the_mean_squares_of_the_books_where_every_user_is_in_every_seed():
    table = np.stack(made(4, 60))
    whole, of_user, of_seed = table.mean(), table.mean(0), table.mean(1)
    rest = table - of_user - of_seed[:, None] + whole
    looks, noise = of_seed.var(ddof=1) / 4, (rest**2).sum() / (3 * 59) / (4 * 60)
    found = over_seeds(list(table))
    assert seed_variances(table) == (pytest.approx(looks), pytest.approx(noise))
    assert found.parts[0].variance == pytest.approx(of_user.var(ddof=1) / 60)
    assert found.parts[1].variance == pytest.approx(max(0.0, looks - NOISE_SHARE * noise))
    half = np.hypot(stats.t.ppf(0.975, 59) * of_user.std(ddof=1) / np.sqrt(60), stats.t.ppf(0.975, 3) * found.parts[1].variance ** 0.5)
    assert found.ci95 == pytest.approx((whole - half, whole + half))
    assert found.spread == pytest.approx(of_seed.std(ddof=1)) and found.by_seed == pytest.approx(tuple(of_seed))


@settings(max_examples=30)
@given(st.integers(3, 6), st.integers(0, 99), st.sampled_from([1.0, 0.6, 0.2]))
def test_neither_the_order_of_users_and_seeds_nor_the_unit_matters(seeds, number, present):
    by_seed = made(seeds, 50, number=number, present=present)
    found, rng = over_seeds(by_seed), np.random.default_rng(number)
    order = rng.permutation(50)
    other = over_seeds([100 * by_seed[place][order] for place in rng.permutation(seeds)])
    assert np.array(other.ci95) == pytest.approx(100 * np.array(found.ci95), rel=1e-6)
    assert other.p == pytest.approx(found.p, rel=1e-6) and other.users == found.users


def test_users_who_stay_tell_seeds_apart_however_much_they_differ_among_themselves():
    """What each user brings along in all seeds is no difference between seeds."""
    table = np.stack(made(3, 80))
    apart = table + np.random.default_rng(9).normal(0, 50, 80)
    assert seed_variances(apart) == pytest.approx(seed_variances(table), rel=1e-6)
    halved = np.where(np.random.default_rng(3).random(table.shape) < 0.5, table, np.nan)
    halved = halved[:, ~np.isnan(halved).all(0)]
    same = seed_variances(halved + np.random.default_rng(4).normal(0, 0.01, halved.shape[1]))[1]
    assert same == pytest.approx(seed_variances(halved)[1], rel=0.05)


def test_what_seeds_add_is_found_again_where_users_come_and_go():
    """Over many worlds the seeds' part without its noise is the variance that was put in, to a few hundredths."""
    found = []
    for number in range(600):
        table = np.stack(made(5, 60, deviation=0.3, number=number, present=0.5))
        looks, noise = seed_variances(table[:, ~np.isnan(table).all(0)])
        found.append(looks - noise)
    assert np.mean(found) == pytest.approx(0.3**2 / 5, rel=0.1)


def test_seeds_that_do_not_differ_leave_the_interval_over_users():
    values = np.random.default_rng(1).exponential(1.0, 70)
    found = over_seeds([values] * 3)
    assert found.ci95 == pytest.approx(stats.t.interval(0.95, 69, values.mean(), stats.sem(values)))
    assert found.spread == pytest.approx(0) and found.p == pytest.approx(stats.ttest_1samp(values, 0).pvalue)


def test_where_each_seed_has_users_of_its_own_the_interval_is_students_over_seeds():
    by_seed = [np.array([0.1, 0.3]), np.array([0.2, np.nan]), np.array([0.5, 0.5])]
    found = over_seeds(by_seed, same_users=False)
    assert found.ci95 == pytest.approx(stats.t.interval(0.95, 2, 0.9 / 3, stats.sem([0.2, 0.2, 0.5])))
    assert found.p == pytest.approx(stats.ttest_1samp([0.2, 0.2, 0.5], 0).pvalue) and found.users == 5
    apart = [np.where(np.arange(30) // 10 == seed, np.arange(30.0), np.nan) for seed in range(3)]
    assert over_seeds(apart).ci95 == pytest.approx(stats.t.interval(0.95, 2, 14.5, stats.sem([4.5, 14.5, 24.5])))


@pytest.mark.parametrize("same_users", [True, False])
def test_two_seeds_are_shown_and_get_no_interval(same_users):
    found = over_seeds(made(2, 50), same_users=same_users)
    assert (found.ci95, found.p, len(found.by_seed)) == (None, None, 2) and found.mean is not None
    assert found.spread == pytest.approx(np.std(found.by_seed, ddof=1))


def test_p_is_the_level_at_which_the_interval_ends_at_zero():
    for number, shift in enumerate((0.0, -0.9, -1.5, -60.0)):
        found = over_seeds([values + shift for values in made(3, 90, number=number)])
        assert margin(found.parts, found.p) == pytest.approx(abs(found.mean), rel=1e-9)
        assert (found.p < 0.05) == (found.ci95[0] > 0 or found.ci95[1] < 0)


def test_nothing_varies_and_nothing_is_there():
    assert (over_seeds([np.zeros(9)] * 3).ci95, over_seeds([np.zeros(9)] * 3).p) == ((0.0, 0.0), 1.0)
    assert (over_seeds([np.ones(9)] * 3).ci95, over_seeds([np.ones(9)] * 3).p) == ((1.0, 1.0), 0.0)
    nothing = over_seeds([np.full(4, np.nan)] * 3)
    assert (nothing.mean, nothing.ci95, nothing.p, nothing.users, nothing.spread) == (None, None, None, 0, None)
    alone = over_seeds([np.array([np.nan, 0.5])] * 3)
    assert (alone.mean, alone.ci95, alone.users) == (0.5, None, 1)


def test_a_seed_in_which_nobody_has_a_value_counts_as_none():
    by_seed = made(4, 40)
    by_seed[2] = np.full(40, np.nan)
    found, without = over_seeds(by_seed), over_seeds([*by_seed[:2], by_seed[3]])
    assert found.parts == without.parts and np.isnan(found.by_seed[2]) and len(found.by_seed) == 4
    assert over_seeds(by_seed[1:3] + by_seed[:1]).ci95 is None
