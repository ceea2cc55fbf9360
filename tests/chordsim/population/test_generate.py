"""Phones are functions of (seed, device id); users are one to one; a round's selection is a fair sample of any population."""

from __future__ import annotations

import dataclasses
import resource

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chordsim.config.model import PopulationConfig
from chordsim.errors import ScenarioError
from chordsim.methods import Budgets
from chordsim.population.generate import Population
from chordsim.population.profile import MARKS, Profiles

PEAK = 1_000_000


def population(seed: int = 1, n_users: int = 943, **config: object) -> Population:
    return Population(PopulationConfig.model_validate(config), seed, n_users, PEAK)


def columns(profiles: Profiles) -> dict[str, np.ndarray]:
    out = {}
    for thing in (profiles, profiles.budgets):
        for field in dataclasses.fields(thing):
            value = getattr(thing, field.name)
            if isinstance(value, np.ndarray):
                out[f"{type(thing).__name__}.{field.name}"] = value
    return out


@given(st.lists(st.integers(0, 10**10 - 1), min_size=1, max_size=80), st.integers(0, 2**31), st.randoms())
@settings(max_examples=60)
def test_a_phone_is_the_same_alone_in_any_company_and_in_any_population(ids: list[int], seed: int, random) -> None:
    # `random` is hypothesis's own, so that a failure can be replayed.
    together = columns(population(seed, devices=10**10, selected=5).profiles(np.array(ids)))
    small = population(seed, n_users=7)
    where = random.randrange(len(ids))
    alone = columns(small.profiles(np.array([ids[where]])))
    for name, column in together.items():
        assert column[where] == alone[name][0], name


def test_seeds_and_ids_give_different_phones() -> None:
    ids = np.arange(1000)
    one, two = (columns(population(seed).profiles(ids)) for seed in (1, 2))
    for name in ("Profiles.macs_per_s", "Profiles.down_bytes_per_s", "Budgets.memory_bytes"):
        assert np.unique(one[name]).size > 950
        assert np.mean(one[name] == two[name]) < 0.01


def test_tiers_come_in_their_shares_around_their_medians() -> None:
    p = population(spread=0.3)
    profiles = p.profiles(np.arange(60_000))
    for index, (name, tier) in enumerate(p.config.tiers.items()):
        mine = profiles.tier == index
        assert profiles.tier_names[index] == name
        assert abs(mine.mean() - tier.share) < 0.01
        medians = {
            "ram_bytes": tier.ram_gb * 1e9,
            "macs_per_s": tier.gmacs_per_s * 1e9,
            "down_bytes_per_s": tier.down_mbps * 125_000,
            "up_bytes_per_s": tier.up_mbps * 125_000,
            "round_trip_s": tier.round_trip_ms / 1000,
            "j_per_mac": tier.nj_per_mac * 1e-9,
            "radio_w": tier.radio_w,
        }
        for column, median in medians.items():
            values = getattr(profiles, column)[mine]
            assert np.median(values) == pytest.approx(median, rel=0.02), column
            assert np.std(np.log(values)) == pytest.approx(0.3, rel=0.05), column
        assert np.median(profiles.budgets.memory_bytes[mine]) == pytest.approx(tier.memory_of_fp32 * PEAK, rel=0.02)


def test_numbers_of_one_phone_are_independent() -> None:
    profiles = population(spread=0.3).profiles(np.arange(40_000))
    mine = profiles.tier == 1
    names = ("ram_bytes", "macs_per_s", "down_bytes_per_s", "up_bytes_per_s", "round_trip_s", "j_per_mac", "radio_w")
    table = np.log([*(getattr(profiles, n)[mine] for n in names), profiles.budgets.memory_bytes[mine]])
    off = np.corrcoef(table) - np.eye(len(table))
    assert np.abs(off).max() < 0.03


def test_without_spread_phones_are_their_tier() -> None:
    profiles = population(spread=0.0).profiles(np.arange(500))
    assert set(profiles.macs_per_s) == {0.6e9, 2.5e9, 8e9}
    assert set(profiles.budgets.memory_bytes) == {900_000, 1_300_000, 2_000_000}


def test_budgets_bind_as_the_scenario_says() -> None:
    budgets: Budgets = population().profiles(np.arange(943)).budgets
    assert 0 < np.mean(budgets.memory_bytes < PEAK) < 1  # some phones cannot hold the full-precision model, some can
    assert set(budgets.bits) == {2.0, 4.0, 8.0}
    assert set(budgets.latency_s) == {0.04}


def test_memory_in_megabytes_and_never_beyond_the_phone() -> None:
    tier = {"share": 1, "gmacs_per_s": 1, "down_mbps": 1, "up_mbps": 1, "round_trip_ms": 1, "nj_per_mac": 1, "radio_w": 1}
    exact = population(spread=0, tiers={"only": {**tier, "ram_gb": 1, "memory_mb": 3.5}}).profiles(np.arange(9))
    assert set(exact.budgets.memory_bytes) == {3_500_000}
    capped = population(tiers={"only": {**tier, "ram_gb": 0.001, "memory_mb": 100}}).profiles(np.arange(99))
    assert (capped.budgets.memory_bytes == capped.ram_bytes).all()


def test_every_number_carries_its_mark() -> None:
    numbers = {f.name for f in dataclasses.fields(Profiles)} | {f.name for f in dataclasses.fields(Budgets)}
    assert numbers - {"device_ids", "tier", "tier_names", "budgets"} <= set(MARKS)


@given(st.integers(1, 3000), st.integers(0, 2**31))
@settings(max_examples=40)
def test_users_are_a_permutation_while_phones_suffice(n_users: int, seed: int) -> None:
    p = population(seed, n_users=n_users)
    users = p.users(np.arange(n_users))
    assert p.size == n_users
    assert (np.sort(users) == np.arange(n_users)).all()


def test_more_phones_than_users_share_them_evenly_and_a_user_does_not_depend_on_the_number_of_phones() -> None:
    few, many = population(devices=100), population(devices=10**9, selected=10)
    ids = np.arange(100)
    assert (few.users(ids) == many.users(ids)).all()
    counts = np.bincount(many.users(np.arange(943 * 3)), minlength=943)
    assert set(counts) == {3}
    assert not (population(2).users(ids) == few.users(ids)).all()


@given(st.integers(1, 400), st.integers(1, 400), st.integers(1, 50))
@settings(max_examples=80)
def test_selection_is_sorted_distinct_in_range_and_repeatable(devices: int, selected: int, round: int) -> None:
    selected = min(devices, selected)
    p = population(devices=devices, selected=selected)
    ids = p.select(round)
    assert ids.dtype == np.int64 and ids.size == selected
    assert (np.diff(ids) > 0).all() and 0 <= ids[0] and ids[-1] < devices
    assert (population(devices=devices, selected=selected).select(round) == ids).all()


@pytest.mark.parametrize("selected", [3, 7])
def test_selection_prefers_no_phone(selected: int) -> None:
    p = population(devices=10, selected=selected)
    rounds = 4000
    counts = np.bincount(np.concatenate([p.select(r) for r in range(1, rounds + 1)]), minlength=10)
    expected = rounds * selected / 10
    sigma = np.sqrt(rounds * selected / 10 * (1 - selected / 10))
    assert np.abs(counts - expected).max() < 4 * sigma


def test_ten_thousand_million_phones_cost_only_those_selected() -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    p = population(devices=10**10, selected=100_000)
    ids = p.select(1)
    profiles = p.profiles(ids)
    grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert ids.size == len(profiles) == 100_000 and ids[-1] > 9.9e9
    assert np.unique(ids).size == 100_000 and not np.isin(p.select(2), ids).all()
    assert grown_kib < 200_000


def test_all_phones_take_part_by_default() -> None:
    assert (population().select(3) == np.arange(943)).all()


def test_impossible_populations_are_refused() -> None:
    with pytest.raises(ScenarioError, match="population.selected = 50, but there are 10"):
        population(devices=10, selected=50)
    with pytest.raises(ScenarioError, match="no users"):
        population(n_users=0)
    with pytest.raises(ScenarioError, match="population.selected = 0"):
        population(devices=10**10)
