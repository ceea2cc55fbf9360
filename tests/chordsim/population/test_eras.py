"""Phones of an era match the published quantiles and correlations; a phone never depends on the population's size."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from chordsim.config.model import PopulationConfig
from chordsim.errors import DataError, ScenarioError
from chordsim.population.eras import CONSTANTS, ERAS, MACS_PER_SAMPLE
from chordsim.population.generate import Pace, Population
from chordsim.population.profile import Profiles
from chordsim.scenario.load import load

PEAK = 1_000_000
KEY = (0.05, 0.25, 0.5, 0.75, 0.95)
#: Published: FedScale's client_device_capacity, and the AI Benchmark list.
LATENCY_MS = (18.8, 24.3, 40.5, 147.0, 190.0)
DOWN_MBPS = (1.4, 2.9, 6.1, 14.0, 51.4)


def population(era: str = "2010s", seed: int = 1, users: int = 943, **config: object) -> Population:
    return Population(PopulationConfig.model_validate({"era": era, **config}), seed, users, PEAK)


def phones(era: str = "2010s", count: int = 200_000) -> Profiles:
    return population(era).profiles(np.arange(count))


@pytest.mark.parametrize("seed", [1, 2])
def test_speed_and_link_have_the_published_quantiles_within_5_percent(seed: int) -> None:
    drawn = population(seed=seed).profiles(np.arange(200_000))
    latency = np.quantile(MACS_PER_SAMPLE / drawn.macs_per_s * 1e3, KEY)
    assert latency == pytest.approx(LATENCY_MS, rel=0.05)
    assert np.quantile(drawn.down_bytes_per_s * 8e-6, KEY) == pytest.approx(DOWN_MBPS, rel=0.05)


def test_compute_has_two_humps() -> None:
    counts, _ = np.histogram(np.log(1 / phones().macs_per_s), 60)
    first, last = counts[:30].argmax(), 30 + counts[30:].argmax()
    assert counts[first:last].min() < 0.4 * min(counts[first], counts[last])


def test_correlations_are_the_published_ones_within_a_tenth() -> None:
    drawn = phones()
    assert stats.spearmanr(drawn.ram_bytes, drawn.macs_per_s).statistic == pytest.approx(0.86, abs=0.1)
    assert stats.spearmanr(drawn.down_bytes_per_s, drawn.up_bytes_per_s).statistic == pytest.approx(0.24, abs=0.1)
    assert abs(stats.spearmanr(drawn.macs_per_s, drawn.down_bytes_per_s).statistic) < 0.1


def test_joules_spread_tenfold_and_ram_comes_in_the_listed_shares() -> None:
    drawn = phones()
    low, high = np.quantile(drawn.j_per_mac, [0.025, 0.975])
    assert high / low == pytest.approx(10, rel=0.1)
    assert np.mean(drawn.ram_bytes <= 1e9) == pytest.approx(0.16, abs=0.01)
    assert np.mean(drawn.ram_bytes == 4e9) == pytest.approx(0.29, abs=0.01)


def test_what_was_not_fitted_comes_out_within_15_percent() -> None:
    # Mean RAM of phones sold in December 2025, 8.4 GB; the shares were chosen on 2020 and 2024 alone.
    assert np.mean(phones("2025").ram_bytes) / 1e9 == pytest.approx(8.4, rel=0.15)
    # The share below 3 Mbit/s as a third party prints it, and the median of the later era.
    assert np.mean(phones().down_bytes_per_s < 3e6 / 8) == pytest.approx(0.26, rel=0.15)
    assert np.median(phones("2025").down_bytes_per_s) * 8e-6 == pytest.approx(61.5, rel=0.15)


def test_chips_of_mlperf_mobile_lie_as_far_apart_as_its_tables_say() -> None:
    drawn = phones("mlperf-mobile")
    per_s = drawn.macs_per_s / ERAS["mlperf-mobile"].macs_per_sample
    # Published, MobileBERT one request at a time: the slowest and the fastest phone of v3.1 to v5.0, and the middle of eight chips.
    slowest, fastest, middle = 2.829, 641.5, np.exp(np.log([2.829, 120.4, 147.1, 174.8, 317.1, 324.2, 452.9, 641.5]).mean())
    low, high = np.quantile(per_s, [1 / 16, 15 / 16])
    assert high / low == pytest.approx(fastest / slowest, rel=0.25)
    assert low == pytest.approx(slowest, rel=0.25) and high == pytest.approx(fastest, rel=0.15)
    assert np.exp(np.log(per_s).mean()) == pytest.approx(middle, rel=0.02)
    assert np.mean(drawn.ram_bytes >= 12e9) == pytest.approx(0.5, abs=0.01)


def _data() -> Path | None:
    root = os.environ.get("CHORDSIM_DATA")
    folder = (Path(root) if root else Path(__file__).parents[4] / "shared" / "data") / "devices"
    return folder if folder.is_dir() else None


@pytest.mark.skipif(_data() is None, reason="the measurements are not on this machine")
@pytest.mark.parametrize(
    ("file", "column", "value"),
    [
        ("compute_latency_quantiles.csv", "latency_ms_per_sample", lambda p: MACS_PER_SAMPLE / p.macs_per_s * 1e3),
        ("network_throughput_quantiles.csv", "throughput_kbps", lambda p: p.down_bytes_per_s * 8e-3),
    ],
)
def test_the_key_quantiles_of_the_files_themselves(file: str, column: str, value) -> None:
    folder = _data()
    assert folder is not None
    rows = list(csv.DictReader((folder / file).open()))
    known = {float(r["quantile"]): float(r[column]) for r in rows}
    assert np.quantile(value(phones()), KEY) == pytest.approx([known[q] for q in KEY], rel=0.05)


def test_tiers_are_quantiles_of_speed_whatever_the_size() -> None:
    p = population(tiers={"slow": {"share": 0.25, "memory_mb": 1}, "fast": {"share": 0.75, "memory_mb": 2}})
    drawn = p.profiles(np.arange(100_000))
    assert np.mean(drawn.tier == 0) == pytest.approx(0.25, abs=0.01)
    assert drawn.macs_per_s[drawn.tier == 0].max() <= drawn.macs_per_s[drawn.tier == 1].min()


@pytest.mark.parametrize("era", sorted(ERAS))
def test_device_17_is_one_phone_in_a_hundred_and_in_ten_million(era: str) -> None:
    few, many = population(era, devices=100), population(era, devices=10**7, selected=5)
    one, two = few.profiles(np.array([17])), many.profiles(np.array([3, 17, 9_999_999]))
    for name in ("ram_bytes", "macs_per_s", "down_bytes_per_s", "up_bytes_per_s", "round_trip_s", "j_per_mac", "radio_w", "tier"):
        assert getattr(one, name)[0] == getattr(two, name)[1], name


def test_every_constant_says_where_it_comes_from() -> None:
    assert all(c.source for c in CONSTANTS)
    assert {c.mark for c in CONSTANTS} == {"measured", "fitted", "assumed"}


def test_active_users_own_fast_phones_when_asked_to() -> None:
    lengths = np.random.default_rng(0).permutation(np.arange(5000)) + 5
    for wanted in (-0.8, 0.0, 0.5, 0.9):
        p = Population(PopulationConfig.model_validate({"era": "2010s", "activity_tier": wanted}), 1, 5000, PEAK, activity=lengths)
        ids = np.arange(5000)
        users = p.users(ids)
        assert (np.sort(users) == ids).all()
        found = stats.spearmanr(lengths[users], p.profiles(ids).macs_per_s).statistic
        assert found == pytest.approx(6 / np.pi * np.arcsin(wanted / 2), abs=0.04)
    config = PopulationConfig.model_validate({"era": "2010s", "activity_tier": 0.9, "devices": 10**6, "selected": 9})
    many = Population(config, 1, 5000, PEAK, activity=lengths)
    later = np.arange(5000, 25_000)
    assert stats.spearmanr(lengths[many.users(later)], many.profiles(later).macs_per_s).statistic > 0.8
    assert (many.users(ids) == users).all()


def test_knocked_out_sides_are_equal_and_nothing_else_moves() -> None:
    ids = np.arange(1000)
    free, ram = population().profiles(ids), population(equal=["ram"]).profiles(ids)
    assert np.unique(ram.ram_bytes).size == np.unique(ram.budgets.memory_bytes).size == 1
    assert (ram.macs_per_s == free.macs_per_s).all() and (ram.tier == free.tier).all()
    both = population(equal=["compute", "link"]).profiles(ids)
    for name in ("macs_per_s", "j_per_mac", "down_bytes_per_s", "up_bytes_per_s", "round_trip_s"):
        assert np.unique(getattr(both, name)).size == 1, name
    assert (both.ram_bytes == free.ram_bytes).all() and (both.tier == free.tier).all()


def test_joules_of_a_day_cap_the_seconds_of_a_request() -> None:
    config = PopulationConfig.model_validate({"era": "2010s", "tiers": {"all": {"share": 1.0, "memory_mb": 1, "joules_per_day": 0.5}}})
    drawn = Population(config, 1, 10, PEAK, pace=Pace(10, 4.0)).profiles(np.arange(2000))
    joules = drawn.budgets.latency_s * drawn.macs_per_s * drawn.j_per_mac
    assert drawn.by_joules.any()
    assert joules[drawn.by_joules] == pytest.approx(0.5 / 40)
    assert (joules <= 0.5 / 40 * (1 + 1e-9)).all() and (drawn.budgets.latency_s <= 0.1).all()


HEADER = "ram_gb,gmacs_per_s,down_mbps,up_mbps,round_trip_ms,nj_per_mac,radio_w"
OLD, NEW = "1,1,2,1,90,1,1", "8,9,50,20,30,0.3,1"


def own(folder: Path, *lines: str, **config: object) -> Population:
    path = folder / "mine.csv"
    path.write_text("\n".join(lines) + "\n")
    return population("", csv=str(path), **config)


def test_own_phones_come_in_their_weights(tmp_path: Path) -> None:
    tiers = {"old": {"share": 0.5, "memory_share": 0.001}, "new": {"share": 0.5, "memory_share": 0.001}}
    p = own(tmp_path, HEADER + ",tier,weight", OLD + ",old,3", NEW + ",new,1", spread=0.0, tiers=tiers)
    drawn = p.profiles(np.arange(40_000))
    assert np.mean(drawn.tier == 0) == pytest.approx(0.75, abs=0.01)
    assert set(drawn.ram_bytes) == {10**9, 8 * 10**9} and set(drawn.budgets.memory_bytes) == {10**6, 8 * 10**6}
    by_speed = own(tmp_path, HEADER, OLD, NEW, spread=0.0, tiers=tiers).profiles(np.arange(1000))
    assert ((by_speed.tier == 1) == (by_speed.macs_per_s == 9e9)).all()


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ((HEADER.replace("ram_gb,", ""), OLD), ["mine.csv", "no column 'ram_gb'"]),
        ((HEADER, OLD, OLD.replace("90", "nan")), ["mine.csv", "line 3", "round_trip_ms", "finite"]),
        ((HEADER, "-1,1,2,1,90,1,1"), ["line 2", "ram_gb", "above 0"]),
        ((HEADER, "1,1,-2,1,90,1,1"), ["line 2", "down_mbps is -2"]),
        ((HEADER, "1,x,2,1,90,1,1"), ["line 2", "gmacs_per_s", "not a number"]),
        ((HEADER, "1,1"), ["line 2", "7 values"]),
        ((HEADER,), ["no rows"]),
        ((HEADER, OLD.replace("1,1,2,", "1,1,2e6,")), ["line 2", "down_mbps is 2e6", "1,000,000 at most"]),
        ((HEADER, OLD.replace("1,1,2,", "1,1,1e-300,")), ["line 2", "down_mbps is 1e-300", "1e-06 at least"]),
        ((HEADER + ",weight", OLD + ",1e308", OLD + ",1e308"), ["line 2", "weight", "at most"]),
        ((HEADER + ",tier", OLD + ",ancient"), ["tier 'ancient'", "low, mid, high"]),
    ],
)
def test_a_bad_file_of_own_phones_gives_one_line(tmp_path: Path, lines: tuple[str, ...], words: list[str]) -> None:
    with pytest.raises((DataError, ScenarioError)) as caught:
        own(tmp_path, *lines)
    assert all(word in str(caught.value) for word in words) and "\n" not in str(caught.value), str(caught.value)


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (['population.era="2009s"'], ["population.era", "2010s"]),
        (['population.era="2025"', 'population.csv="x.csv"'], ["era and csv"]),
        (['population.era="2025"', "population.tiers.low.ram_gb=2"], ["population.tiers.low.ram_gb", "comes from the era"]),
        (['population.equal=["luck"]'], ["population.equal"]),
        (["population.tiers.low.down_mbps=1e-300"], ["population.tiers.low.down_mbps", "0.000001"]),
        (["population.activity_tier=1.5"], ["population.activity_tier"]),
        (["population.tiers.low.memory_mb=1", "population.tiers.low.memory_share=0.1"], ["exactly one of"]),
    ],
)
def test_a_bad_population_gives_one_line(overrides: list[str], words: list[str]) -> None:
    with pytest.raises(ScenarioError) as caught:
        load("offline", overrides)
    assert all(word in str(caught.value) for word in words) and "\n" not in str(caught.value), str(caught.value)


def test_an_override_of_the_era_brings_the_eras_own_tiers() -> None:
    config = load("offline", ['population.era="2025"', "population.tiers.low.bits=1"]).population
    assert config.source == "era" and config.tiers["low"].bits == 1 and config.tiers["low"].memory_share


def test_phones_are_drawn_as_text_and_as_svg() -> None:
    import xml.etree.ElementTree as ET

    from chordsim.population.drawing import as_svg, as_text, histograms

    drawn = phones(count=5000)
    found = histograms(drawn)
    assert all(one.counts.sum() == 5000 and one.counts.shape[0] == 3 for one in found)
    assert len(as_text(found)) == len(found) and "speed" in "".join(as_text(found))
    root = ET.fromstring(as_svg(found, ("low<", "mid", "high"), "who & what"))
    assert root.tag.endswith("svg") and len(list(root.iter())) > 100
