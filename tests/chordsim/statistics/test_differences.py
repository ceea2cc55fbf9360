"""Intervals cover what they should, identical users give nothing, Holm is Holm."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from chordsim.statistics.bootstrap import BOOTSTRAP_USERS
from chordsim.statistics.differences import paired, paired_over_seeds
from chordsim.statistics.families import holm


def test_the_interval_covers_a_known_difference_in_90_to_99_of_100_seeds():
    covered = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        # Skewed like NDCG: most users get nothing, a few get a lot; the true difference is 0.02.
        base = np.where(rng.random(250) < 0.3, rng.random(250), 0.0)
        other = base + np.where(rng.random(250) < 0.2, 0.1, 0.0) + rng.normal(0, 0.05, 250)
        low, high = paired({"x": (other, base)}, seed)["x"].ci95
        covered += low <= 0.02 <= high
    assert 90 <= covered <= 99


def test_identical_users_give_zero_and_no_significance():
    values = np.random.default_rng(1).random(50)
    found = paired({"a": (values, values), "b": (values, values.copy())}, 1)
    assert all((d.mean, d.ci95, d.p, d.significant) == (0.0, (0.0, 0.0), 1.0, False) for d in found.values())


def test_no_difference_is_called_significant_about_as_often_as_promised():
    rng = np.random.default_rng(0)
    hits = sum(paired({"x": (rng.normal(size=80), rng.normal(size=80))}, seed)["x"].significant for seed in range(200))
    assert hits <= 22  # 5 % of 200 is 10; more than 22 has a chance below one in 10,000


def test_users_without_both_values_are_left_out():
    found = paired({"x": (np.array([1.0, np.nan, 3.0]), np.array([0.0, 5.0, np.nan]))}, 1)["x"]
    assert (found.mean, found.ci95, found.p, found.users) == (1.0, None, 1.0, 1)
    assert paired({"x": (np.full(3, np.nan), np.zeros(3))}, 1)["x"].mean is None


def test_many_users_take_the_normal_approximation_and_agree_with_the_t_test():
    rng = np.random.default_rng(3)
    first, second = rng.normal(0.01, 1, BOOTSTRAP_USERS + 1), rng.normal(0, 1, BOOTSTRAP_USERS + 1)
    found = paired({"x": (first, second)}, 1)["x"]
    assert found.p == pytest.approx(stats.ttest_rel(first, second).pvalue, abs=1e-3)


@settings(max_examples=50)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_rejects_what_the_step_down_procedure_rejects(ps):
    corrected = holm(ps)
    order, still = sorted(range(len(ps)), key=lambda i: ps[i]), True
    for place, index in enumerate(order):
        still = still and ps[index] * (len(ps) - place) < 0.05
        assert (corrected[index] < 0.05) == still
    assert all(c >= p for c, p in zip(corrected, ps, strict=True))


def test_pairs_of_other_lengths_are_one_family_and_each_is_what_it_is_alone():
    rng = np.random.default_rng(6)
    pairs = {"a": (rng.random(40), rng.random(40)), "b": (rng.random(30), rng.random(30)), "c": (rng.random(40), rng.random(40))}
    found = paired(pairs, 1)
    assert list(found) == ["a", "b", "c"]
    assert [d.p_holm for d in found.values()] == holm([paired({name: pair}, 1)[name].p for name, pair in pairs.items()])


def test_over_seeds_the_seeds_count_and_two_of_them_have_no_p():
    rng = np.random.default_rng(7)
    base = rng.random(90)
    # Seeds lift everybody, by 0.05, 0.15 and 0.4: sure over users, not at all over seeds.
    by_seed = [(base + lift + 0.01 * rng.normal(size=90), base) for lift in (0.05, 0.15, 0.4)]
    found = paired_over_seeds({"one": by_seed[:1], "two": by_seed[:2], "three": by_seed, "none": []}, 1)
    assert found["one"].significant and not found["three"].significant and found["three"].ci95[0] < 0
    assert (found["two"].p, found["two"].p_holm, found["two"].ci95) == (None, None, None)
    assert found["three"].by_seed == pytest.approx((0.05, 0.15, 0.4), abs=0.01) and found["three"].spread > 0.1
    assert (found["none"].mean, found["none"].users) == (None, 0)
    assert found["one"].p_holm == pytest.approx(4 * found["one"].p)
