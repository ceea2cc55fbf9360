"""Estimates over users: intervals that cover, whatever the number of rounds, the same for the same seed."""

import numpy as np
import pytest

from chordsim.ledger import clustered
from chordsim.ledger.clustered import UserMeans, estimate


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


def test_bootstrap_and_normal_agree_where_users_are_many(monkeypatch):
    values = np.random.default_rng(3).random(3000)
    values[::3] = np.nan
    by_bootstrap = estimate({"x": values}, 1)["x"]
    monkeypatch.setattr(clustered, "BOOTSTRAP_USERS", 1000)
    by_normal = estimate({"x": values}, 1)["x"]
    assert (by_bootstrap.ci_method, by_normal.ci_method) == ("bootstrap-by-user", "normal-by-user")
    assert by_bootstrap.users == by_normal.users == 2000
    assert by_bootstrap.mean == pytest.approx(by_normal.mean)
    assert by_bootstrap.ci95 == pytest.approx(by_normal.ci95, abs=0.002)


def test_how_the_work_is_blocked_does_not_matter(monkeypatch):
    values = np.random.default_rng(4).random(50)
    whole = estimate({"x": values}, 1)["x"].ci95
    monkeypatch.setattr(clustered, "_BLOCK_VALUES", 50 * 300)
    assert estimate({"x": values}, 1)["x"].ci95 == pytest.approx(whole)
