"""The largest gap between groups: the right pair, an interval that holds the truth as often as it says, users as the unit."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ttest_ind

from chordsim.statistics.gaps import largest_gap


def table_of(groups: list[np.ndarray]) -> np.ndarray:
    """Return users in one group each as [users, groups], NaN elsewhere."""
    out = np.full((sum(map(len, groups)), len(groups)), np.nan)
    at = 0
    for place, values in enumerate(groups):
        out[at : at + len(values), place] = values
        at += len(values)
    return out


def test_two_groups_have_welchs_interval() -> None:
    rng = np.random.default_rng(1)
    one, two = rng.normal(1.0, 0.3, 14), rng.normal(0.2, 1.1, 31)
    found = largest_gap(table_of([one, two]))
    low, high = ttest_ind(one, two, equal_var=False).confidence_interval(0.95)
    assert (found.best, found.worst, found.users) == (0, 1, (14, 31)) and found.gap == pytest.approx(one.mean() - two.mean())
    assert found.ci95 == pytest.approx((low, high))


def test_the_pair_is_the_best_and_the_worst_and_pays_for_the_choice() -> None:
    rng = np.random.default_rng(2)
    groups = [rng.normal(mean, 1.0, 50) for mean in (0.0, 2.0, 1.0)]
    three, two = largest_gap(table_of(groups)), largest_gap(table_of([groups[1], groups[0]]))
    assert (three.best, three.worst) == (1, 0) and three.gap == pytest.approx(two.gap)
    assert three.ci95 is not None and two.ci95 is not None
    assert three.ci95[0] < two.ci95[0] and three.ci95[1] > two.ci95[1]


@pytest.mark.parametrize("sizes", [(12, 12), (30, 8)])
def test_it_holds_a_known_difference_as_often_as_it_says(sizes: tuple[int, int]) -> None:
    rng, inside = np.random.default_rng(3), 0
    for _ in range(1500):
        one, two = rng.normal(5.0, 1.0, sizes[0]), rng.normal(0.0, 2.0, sizes[1])
        low, high = largest_gap(table_of([one, two])).ci95 or (0.0, 0.0)
        inside += low <= 5.0 <= high
    assert 0.935 <= inside / 1500 <= 0.965


def test_of_three_equal_groups_the_interval_seldom_leaves_zero_out() -> None:
    """The pair that happens to be furthest apart is no finding."""
    rng, out = np.random.default_rng(4), 0
    for _ in range(1500):
        low, _ = largest_gap(table_of([rng.normal(0, 1, 20) for _ in range(3)])).ci95 or (0.0, 0.0)
        out += low > 0
    # Bonferroni over three pairs, which are not independent: at most one in twenty.
    assert 0.02 < out / 1500 <= 0.06


@pytest.mark.parametrize("rate", [0.5, 0.9])
def test_shares_hold_a_known_difference_too(rate: float) -> None:
    rng, inside = np.random.default_rng(5), 0
    for _ in range(1500):
        one, two = (rng.random(15) < rate).astype(float), (rng.random(15) < 0.1).astype(float)
        low, high = largest_gap(table_of([one, two]), shares=True).ci95 or (0.0, 0.0)
        inside += low <= rate - 0.1 <= high
    assert inside / 1500 > 0.93


def test_all_and_nothing_in_a_few_users_is_not_sure() -> None:
    found = largest_gap(table_of([np.ones(4), np.zeros(6)]), shares=True)
    assert found.gap == 1.0 and found.ci95 is not None and 0.1 < found.ci95[0] < 0.8 and found.ci95[1] == 1.0
    many = largest_gap(table_of([np.ones(400), np.zeros(600)]), shares=True)
    assert many.ci95 is not None and many.ci95[0] > 0.95


def test_users_in_both_groups_move_both_means() -> None:
    rng = np.random.default_rng(6)
    user = rng.normal(0, 1.0, 40)
    table = np.stack([user + 0.5 + rng.normal(0, 0.1, 40), user + rng.normal(0, 0.1, 40)], 1)
    found = largest_gap(table)
    assert found.ci95 is not None and found.ci95[1] - found.ci95[0] < 0.12


def test_without_two_groups_or_two_users_there_is_no_interval() -> None:
    alone = largest_gap(table_of([np.ones(5), np.zeros(0)]))
    assert alone.gap is None and alone.ci95 is None and alone.users == (5, 0)
    one = largest_gap(table_of([np.ones(5), np.zeros(1)]), shares=True)
    assert one.gap == 1.0 and one.ci95 is None
    told = one.as_json(["low", "high"])
    assert told == {"gap": 1.0, "ci95": None, "ci_method": "none", "best": "low", "worst": "high", "users": {"low": 5, "high": 1}}
