"""The final table fits 100 columns whatever the numbers, and shows what is missing as a dash."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from rich.table import Table

from chordsim.config.model import PopulationConfig
from chordsim.population.describe import per_group
from chordsim.population.generate import Population
from chordsim.report.refused import refused_line
from chordsim.report.terminal_tables import costs_table, final_table, fleet_table, tiers_table


def printed(table: Table) -> list[str]:
    console = Console(file=io.StringIO(), width=100)
    console.print(table)
    return console.file.getvalue().splitlines()


def maybe(strategy: st.SearchStrategy[float]) -> st.SearchStrategy[float | None]:
    return st.none() | strategy


@st.composite
def estimates(draw: st.DrawFn) -> dict[str, Any]:
    mean = draw(maybe(st.floats(0, 1)))
    spread = draw(st.floats(0, 0.5))
    return {"mean": mean, "ci95": None if mean is None or draw(st.booleans()) else [mean - spread, mean + spread]}


METHODS = st.fixed_dictionaries(
    {
        "ndcg_10": estimates(),
        "ndcg_10_all": estimates(),
        "hr_10": estimates(),
        "served_share": maybe(st.floats(0, 1)),
        "bits_mean": maybe(st.floats(0, 32)),
        "wasted_bytes_per_device": maybe(st.floats(0, 1e12)),
        "first_contact": st.fixed_dictionaries({"down_bytes": maybe(st.floats(0, 1e12))}),
        "per_version": st.fixed_dictionaries({"down_bytes": maybe(st.floats(0, 1e12))}),
        "per_session": st.fixed_dictionaries(
            {"down_bytes": maybe(st.floats(0, 1e12)), "up_bytes": maybe(st.floats(0, 1e12))}
            | {name: maybe(st.floats(0, 1e6)) for name in ("seconds_p50", "seconds_p95", "seconds_p99", "joules")}
        ),
        "energy": st.fixed_dictionaries({"assumed_share": maybe(st.floats(0, 1)), "tail_share": maybe(st.floats(0, 1))}),
        "fleet": st.fixed_dictionaries(
            {name: st.floats(0, 1e9) for name in ("sessions", "down_gb", "up_gb", "wasted_gb", "kwh")}
            | {"assumed_share": maybe(st.floats(0, 1))}
        ),
    }
)


@given(st.dictionaries(st.from_regex(r"[a-z0-9][a-z0-9-]{0,63}", fullmatch=True), METHODS, min_size=1, max_size=5))
@settings(max_examples=80)
def test_any_summary_fits_one_hundred_columns(methods: dict[str, Any]) -> None:
    for table, heads in ((final_table, 2), (costs_table, 2), (fleet_table, 2)):
        lines = printed(table({"methods": methods}))
        assert len(lines) == heads + len(methods), table
        assert max(len(line.rstrip()) for line in lines) <= 100
        for name, line in zip(methods, lines[heads:], strict=True):
            assert line.startswith(name[:10])


def test_numbers_are_told_apart_from_nothing() -> None:
    some = {"mean": 0.5, "ci95": [0.4, 0.6]}
    nothing = {"mean": None, "ci95": None}
    served = {
        "ndcg_10": some,
        "ndcg_10_all": some,
        "hr_10": some,
        "served_share": 0.75,
        "bits_mean": 2.0,
        "wasted_bytes_per_device": 1234.4,
    }
    costs = {
        "first_contact": {"down_bytes": 2.5e8},
        "per_session": {
            "down_bytes": 0.0,
            "up_bytes": 20.4,
            "seconds_p50": 0.12345,
            "seconds_p95": 1.5,
            "seconds_p99": 20.0,
            "joules": 0.0,
        },
        "per_version": {"down_bytes": None},
        "energy": {"assumed_share": 1.0, "tail_share": 0.806},
        "fleet": {"sessions": 12_000_000, "down_gb": 2500.0, "up_gb": 0.0002, "wasted_gb": 0.0, "kwh": 1_250.0, "assumed_share": 0.994},
    }
    empty = {name: nothing if isinstance(value, dict) else None for name, value in served.items()} | {"served_share": 0.0}
    summary = {"methods": {"a": served | costs, "b": empty}}
    rows = printed(final_table(summary))[2:]
    assert rows[0].split() == ["a", "0.5000", "±0.1000", "0.5000", "0.5000", "75.0", "2.00", "1,234"]
    assert rows[1].split() == ["b", "-", "-", "-", "0.0", "-", "-"]
    rows = printed(costs_table(summary))[2:]
    assert rows[0].split() == ["a", "250M", "0", "20", "-", "0.123", "1.5", "20", "0", "100", "(81)"]
    assert rows[1].split() == ["b", *"---------"]
    rows = printed(fleet_table(summary))[2:]
    assert rows[0].split() == ["a", "12,000,000", "2.5", "TB", "200", "kB", "0", "B", "1.25", "MWh", "99"]
    assert rows[1].split() == ["b", *"------"]


def test_tiers_fit_one_hundred_columns() -> None:
    population = Population(PopulationConfig(), 1, 943, 1_000_000)
    phones = population.profiles(np.arange(943))
    lines = printed(tiers_table(per_group(phones, 1_000_000, phones.tier, phones.tier_names), "all phones"))
    assert max(len(line.rstrip()) for line in lines) <= 100
    assert [line.split()[0] for line in lines[-3:]] == ["low", "mid", "high"]


def test_who_was_refused_is_told_with_the_reasons_most_first() -> None:
    summary = {"methods": {name: {"device_rounds": 200} for name in ("fp32", "chord", "uniform-2")}}
    counted = (("chord", "latency", 1), ("fp32", "latency", 10), ("fp32", "memory", 30), ("fp32", "memory", 20))
    refusals = [{"method": method, "reason": reason, "device_rounds": rows} for method, reason, rows in counted]
    line = refused_line(summary, {"budgets": {"refusals": refusals}})
    assert line == "refused: fp32 30.0% (memory, latency), chord 0.5% (latency); report.html says which phones"
    assert refused_line(summary, {"budgets": {"refusals": []}}) == refused_line(summary, {}) == ""
