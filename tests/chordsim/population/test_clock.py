"""The clock is monotonic in bytes, cuts as often as asked, and is the same for a device whoever else takes part."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chordsim.config.model import ClockConfig
from chordsim.population import clock

SIZES = st.integers(0, 10**9)
RATES = st.floats(1.0, 1e9)


@given(SIZES, SIZES, RATES, st.floats(0, 10), st.floats(0.01, 100))
@settings(max_examples=200)
def test_more_bytes_never_take_less_time(one: int, two: int, rate: float, round_trip: float, jitter: float) -> None:
    few, many = sorted((one, two))
    seconds = clock.transfer_s(np.array([few, many]), np.full(2, rate), np.full(2, round_trip), jitter)
    assert 0 <= seconds[0] <= seconds[1]


def test_a_message_takes_a_round_trip_and_its_bytes_over_the_rate() -> None:
    seconds = clock.transfer_s(np.array([1000, 0]), np.array([500.0, 500.0]), np.array([0.1, 0.1]), 2.0)
    assert seconds.tolist() == [2 * (0.1 + 2.0), 0.0]


@given(st.lists(st.integers(0, 10**10), min_size=1, max_size=40), st.integers(1, 9), st.integers(1, 5), st.integers(0, 100))
@settings(max_examples=60)
def test_draws_are_a_devices_own(ids: list[int], round: int, legs: int, seed: int) -> None:
    devices = np.array(ids)
    cut = clock.cut_fractions(seed, devices, round, legs, 0.5)
    jitter = clock.jitter_factors(seed, devices, round, legs, 0.3)
    assert cut.shape == jitter.shape == (len(ids), legs)
    assert (cut[-1:] == clock.cut_fractions(seed, devices[-1:], round, legs, 0.5)).all()
    assert (jitter[-1:] == clock.jitter_factors(seed, devices[-1:], round, legs, 0.3)).all()
    assert (jitter[:, :1] == clock.jitter_factors(seed, devices, round, 1, 0.3)).all()


def test_rounds_are_cut_as_often_as_asked_once_and_in_every_leg_alike() -> None:
    cut = clock.cut_fractions(1, np.arange(40_000), 1, 3, 0.2)
    per_device = (cut < 1).sum(1)
    assert per_device.max() == 1 and cut.min() >= 0
    assert per_device.mean() == pytest.approx(0.2, abs=0.01)
    assert (cut < 1).mean(0) == pytest.approx(np.full(3, 0.2 / 3), abs=0.006)
    assert cut[cut < 1].mean() == pytest.approx(0.5, abs=0.02)
    other = clock.cut_fractions(1, np.arange(40_000), 2, 3, 0.2)
    assert not ((cut < 1) == (other < 1)).all()


def test_no_loss_and_certain_loss() -> None:
    assert (clock.cut_fractions(1, np.arange(100), 1, 3, 0.0) == 1).all()
    assert ((clock.cut_fractions(1, np.arange(100), 1, 3, 1.0) < 1).sum(1) == 1).all()
    assert clock.cut_fractions(1, np.arange(4), 1, 0, 0.5).shape == (4, 0)


def test_a_higher_loss_cuts_the_same_devices_and_more() -> None:
    low, high = (clock.cut_fractions(1, np.arange(5000), 1, 3, loss) for loss in (0.1, 0.3))
    assert (high[low < 1] == low[low < 1]).all()


def test_no_jitter_leaves_seconds_alone_and_jitter_has_median_one() -> None:
    assert (clock.jitter_factors(1, np.arange(10), 1, 2, 0.0) == 1).all()
    factors = clock.jitter_factors(1, np.arange(20_000), 1, 2, 0.4)
    assert np.median(factors) == pytest.approx(1, abs=0.01)
    assert clock.jitter_factors(1, np.arange(4), 1, 0, 0.4).shape == (4, 0)


@pytest.mark.parametrize(
    ("config", "closes"),
    [
        ({}, np.inf),
        ({"deadline_s": 1.0}, 1.0),
        ({"quorum": 0.5}, 1.0),  # two of four wanted
        ({"quorum": 1.0}, np.inf),  # four wanted, three finish
        ({"quantile": 0.5}, 1.0),
        ({"quantile": 1.0}, 1.5),
        ({"deadline_s": 0.7, "quorum": 0.25, "quantile": 1.0}, 0.5),
    ],
)
def test_a_round_closes_at_its_deadline_quorum_or_quantile(config: dict[str, float], closes: float) -> None:
    assert clock.closes_s(np.array([1.5, 0.5, 1.0]), 4, ClockConfig.model_validate(config)) == closes


def test_energy() -> None:
    assert clock.compute_j(np.array([10**9]), np.array([1e-9])).tolist() == [1.0]
    joules = clock.radio_j(np.array([2.0, 2.0]), np.array([3.0, 0.0]))
    assert joules.tolist() == [2.0 * (3.0 + clock.RADIO_TAIL_S), 0.0]
