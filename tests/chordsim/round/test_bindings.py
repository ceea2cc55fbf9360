"""What bound: joules per day under their own name beside the ledger's four words, and budgets that bind nobody said so."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import chordsim

WIDE = [f"population.tiers.{tier}.{key}" for tier in ("low", "mid", "high") for key in ("memory_mb=999", "latency_ms=1e6")]


@pytest.mark.parametrize("metrics", ["all", "none"])
def test_joules_are_told_apart_from_latency(metrics: str, tiny: Callable[..., list[str]], tmp_path: Path) -> None:
    limits = ["population.tiers.low.joules_per_day=1e-6", "population.tiers.mid.latency_ms=1e-4", f'protocol.metrics="{metrics}"']
    run = chordsim.run("offline", overrides=tiny(*WIDE, *limits, methods=("fp32", "chord-plus")), out=tmp_path / "run")
    refused = run.ledger[run.ledger["outcome"] == "refused"]
    assert set(refused["binding"].astype(str)) == {"latency"} and set(refused["tier"].astype(str)) == {"low", "mid"}
    budgets = run.manifest["budgets"]
    for method, rows in refused.groupby("method", observed=True):
        counts = rows["tier"].value_counts()
        bound = budgets["bound_rows"][method]
        assert (bound["joules"], bound["latency"]) == (counts["low"], counts["mid"])
    assert {(r["tier"], r["reason"]) for r in budgets["refusals"]} == {("low", "joules"), ("mid", "latency")}
    phones = run.devices.set_index("device_id")["latency_by_joules"]
    assert (phones[refused["device_id"]].to_numpy() == (refused["tier"] == "low").to_numpy()).all()
    page = (run.path / "report.html").read_text()
    assert "joules_per_day bound or refused" in page and "Warning: budgets" not in page


def test_a_page_says_that_budgets_bind_nobody(tiny: Callable[..., list[str]], tmp_path: Path) -> None:
    run = chordsim.run("offline", overrides=tiny(*WIDE, methods=("fp32",)), out=tmp_path / "run")
    warning = run.manifest["budgets"]["warning"]
    assert f"Warning: {warning}." in (run.path / "report.html").read_text()
    assert "Which budget bound" not in (run.path / "report.html").read_text()
