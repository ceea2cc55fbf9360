"""The figure of budgets: tiers that differ in one budget alone, and what methods gave on each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import chordsim
from chordsim.report.charts.budgets import charts, sweep
from chordsim.report.gather import gather
from chordsim.scenario.load import load

HARDWARE = ("ram_gb=4.0", "gmacs_per_s=1.0", "down_mbps=15.0", "up_mbps=5.0", "round_trip_ms=60.0", "nj_per_mac=0.6", "radio_w=1.0")
MEMORY = {"low": 0.02, "mid": 0.03, "high": 9.0}


def fleet() -> list[str]:
    """Three tiers that are alike in all but memory."""
    keys = [("latency_ms=1000.0", "bits=32.0", f"memory_mb={memory}", *HARDWARE) for memory in MEMORY.values()]
    told = [f"population.tiers.{tier}.{key}" for tier, mine in zip(MEMORY, keys, strict=True) for key in mine]
    return ["population.spread=0.0", "clock.loss=0.0", *told]


def test_tiers_that_differ_in_one_budget_alone_are_a_sweep_of_it() -> None:
    tiers = load("budgets").model_dump(mode="json")["population"]["tiers"]
    memory, time = sweep(tiers, "memory_mb"), sweep(tiers, "latency_ms")
    assert len(memory) == 8 and len(time) == 6 and not set(memory) & set(time) and sweep(tiers, "bits") == {}
    assert list(memory.values()) == sorted(memory.values()) and list(time.values()) == sorted(time.values())
    assert all(name.startswith("memory-") for name in memory) and all(name.startswith("time-") for name in time)
    ordinary = load("offline").model_dump(mode="json")["population"]["tiers"]
    assert not any(sweep(ordinary, key) for key in ("memory_mb", "latency_ms", "bits"))


def test_the_figure_holds_what_the_ledger_says_of_each_tier(tiny: Callable[..., list[str]], tmp_path: Path) -> None:
    run = chordsim.run("offline", overrides=tiny(*fleet(), methods=("fp32", "uniform-2")), out=tmp_path / "run")
    (chart,) = charts(gather(run.path))
    assert chart.key == "at_each_memory_mb" and len(chart.rows) == 6 and chart.key in run.figures
    ledger = run.ledger
    for name, budget, accuracy, served, down in chart.rows:
        tier = next(t for t, memory in MEMORY.items() if memory == budget)
        rows = ledger[(ledger.method == name) & (ledger.tier == tier)]
        some = rows[rows.outcome == "served"]
        assert accuracy == pytest.approx(rows.ndcg_10_all.mean(), rel=1e-5)
        assert served == pytest.approx(100 * len(some) / len(rows), rel=1e-5)
        if len(some):
            assert down == pytest.approx((some.down_bytes - some.bootstrap_bytes).mean(), rel=1e-5)
        else:
            assert down is None
    shares = {(name, budget): served for name, budget, _, served, _ in chart.rows}
    assert shares["fp32", 9.0] == 100 and shares["fp32", 0.02] == 0
    assert "At each memory budget" in (run.path / "report.html").read_text()
