"""Streaming quantiles: exact while they can be, within a percent after, by group and of all."""

import numpy as np
import pytest

from chordsim.ledger.quantiles import Quantiles

SHARES = (0.05, 0.5, 0.95)


def fed(values, groups, **settings):
    made = Quantiles(3, **settings)
    for part in np.array_split(np.arange(values.size), 7):
        made.add(values[part], groups[part])
    return made


@pytest.fixture
def stream():
    rng = np.random.default_rng(0)
    return np.exp(rng.normal(0, 2, 20_000)), rng.integers(0, 2, 20_000)


def test_exact(stream):
    values, groups = stream
    made = fed(values, groups)
    assert made.method == "exact"
    for group, kept in ((None, values), (1, values[groups == 1])):
        assert made.quantiles(SHARES, group) == pytest.approx(np.quantile(kept, SHARES), rel=1e-6)
    assert made.quantiles(SHARES, 2) == [None] * 3


def test_bins_are_within_a_percent(stream):
    values, groups = stream
    made = fed(values, groups, exact_limit=9_000)
    assert made.method == "log-histogram-1%"
    for group, kept in ((None, values), (1, values[groups == 1])):
        assert made.quantiles(SHARES, group) == pytest.approx(np.quantile(kept, SHARES), rel=0.01)
    assert made.quantiles(SHARES, 2) == [None] * 3


def test_bins_hold_zero_and_the_ends():
    values = np.array([0.0, 0.0, 0.0, 1e-9, 1e30])
    assert fed(values, np.zeros(5, np.int64), exact_limit=1).quantiles((0.0, 0.5)) == [0.0, 0.0]
    assert fed(values, np.zeros(5, np.int64), exact_limit=1).quantiles((1.0,))[0] == pytest.approx(1e9, rel=0.02)


def test_nothing():
    assert Quantiles(2).quantiles(SHARES) == Quantiles(2).quantiles(SHARES, 1) == [None] * 3
