"""Estimates over users: intervals that cover, whatever the number of rounds, the same for the same seed."""

import numpy as np
import pytest

from chordsim.statistics.by_user import UserMeans
from chordsim.statistics.estimates import estimate, estimate_over_seeds


def test_users_are_averaged_first():
    kept = UserMeans(4)
    kept.add(np.array([0, 1]), np.array([1.0, 0.0]))
    kept.add(np.array([0, 0, 3]), np.array([0.0, 0.5, 0.25]))
    kept.add(np.array([], np.int64), np.array([]))
    assert np.array_equal(kept.means(), [0.5, 0.0, np.nan, 0.25], equal_nan=True)
    assert kept.known().tolist() == [True, True, False, True]
    assert estimate({"x": kept.means()}, 1)["x"].mean == pytest.approx(0.25)


def test_nothing_and_one_user():
    assert UserMeans(3).known() is None
    found = estimate({"none": np.full(3, np.nan), "one": np.array([np.nan, 0.5, np.nan])}, 1)
    assert (found["none"].mean, found["none"].ci95, found["none"].users) == (None, None, 0)
    assert (found["one"].mean, found["one"].ci95, found["one"].ci_method) == (0.5, None, "none")
    assert estimate({}, 1) == {}


def test_the_same_seed_gives_the_same_interval():
    values = np.random.default_rng(0).random(200)
    ends = {seed: estimate({"x": values}, seed)["x"].ci95 for seed in (1, 2)}
    assert estimate({"x": values}, 1)["x"].ci95 == ends[1] != ends[2]


def test_the_bootstrap_interval_covers():
    rng = np.random.default_rng(5)
    hits = 0
    for seed in range(100):
        values = rng.exponential(1.0, 150)
        low, high = estimate({"x": values}, seed)["x"].ci95
        hits += low <= 1.0 <= high
    assert 88 <= hits <= 100


def test_the_interval_is_that_of_users_not_of_rows():
    """Ten rounds of the same answer carry no more than one."""
    rng = np.random.default_rng(2)
    answers = rng.random(300)
    one, ten = UserMeans(300), UserMeans(300)
    for _ in range(10):
        ten.add(np.arange(300), answers)
    one.add(np.arange(300), answers)
    assert estimate({"x": ten.means()}, 1)["x"].ci95 == pytest.approx(estimate({"x": one.means()}, 1)["x"].ci95)


def test_over_seeds_the_interval_says_what_it_is_over():
    by_seed = [np.random.default_rng(number).random(40) for number in range(3)]
    one, two, three = (estimate_over_seeds(by_seed[:count], 1) for count in (1, 2, 3))
    assert one == estimate({"x": by_seed[0]}, 1)["x"] and one.by_seed == ()
    assert (two.ci95, two.ci_method) == (None, "none") and two.by_seed == pytest.approx([v.mean() for v in by_seed[:2]])
    assert three.ci_method == "t-by-user-and-seed" and three.ci95[0] < three.mean < three.ci95[1]
    assert three.mean == pytest.approx(np.mean(by_seed)) and three.spread == pytest.approx(np.std([v.mean() for v in by_seed], ddof=1))
    assert estimate_over_seeds(by_seed, 1, same_users=False).ci_method == "t-by-seed"
    assert set(three.as_json()) == {"mean", "ci95", "ci_method", "users"}
