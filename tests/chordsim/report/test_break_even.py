"""When a plan pays: sessions by the ledger's own sums, with accuracy and its interval beside it, where phones keep few rows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import chordsim
from chordsim.report.charts.break_even import LAST, blocks, charts, pairs
from chordsim.report.gather import gather

CACHED = ("protocol.candidates=20", "protocol.ranking=candidates", "backbone.items=cached", "clock.loss=0.0", "rounds.count=6")
NAMES = ("retriever", "fp32", "uniform-2", "chord-plus", "cloud-only")
ROOM = [f"population.tiers.{tier}.memory_mb=9" for tier in ("low", "mid", "high")]


def test_the_break_even_is_that_of_the_bytes_so_far_and_accuracy_stands_beside_it(tiny: Callable[..., list[str]], tmp_path: Path) -> None:
    run = chordsim.run("offline", overrides=tiny(*CACHED, *ROOM, "rounds.new_model_every=3", methods=NAMES), out=tmp_path / "run")
    g = gather(run.path)
    found = {pair.other: pair for pair in pairs(g)}
    assert set(found) == set(NAMES) - {"chord-plus"} and all(pair.method == "chord-plus" for pair in found.values())
    for other, pair in found.items():
        mine, theirs = g.methods["chord-plus"], g.methods[other]
        fewer = [n for n in (1, 2, 3, 5, 8, 20, 50, 300, 2000, LAST) if mine.after(n) < theirs.after(n)]
        told = [n for n in (1, 2, 3, 5, 8, 20, 50, 300, 2000, LAST) if pair.first is not None and pair.first <= n <= pair.last]
        assert fewer == told, other
        assert (pair.words == "never") == (not told)
        assert pair.accuracy is not None and pair.accuracy.ci95 is not None
        by_user = run.ledger.pivot_table(index="user_id", columns="method", values="ndcg_10_all", observed=True)
        assert pair.accuracy.mean == pytest.approx((by_user["chord-plus"] - by_user[other]).mean())
    assert len(charts(g)[0].rows) == 4 and "break_even" in run.figures and blocks(g)
    assert "When a plan pays" in (run.path / "report.html").read_text()


def test_bytes_after_sessions_hold_the_rows_of_first_contact_once(tiny: Callable[..., list[str]], tmp_path: Path) -> None:
    """What a run of six rounds says of six sessions is what its phones moved in them."""
    run = chordsim.run("offline", overrides=tiny(*CACHED, *ROOM, methods=("fp32", "chord-plus")), out=tmp_path / "run")
    ledger = run.ledger
    whole = ledger.assign(moved=ledger.down_bytes + ledger.up_bytes)
    facts = gather(run.path).methods
    for name in ("fp32", "chord-plus"):
        mine = whole[whole.method == name]
        served = mine.groupby("device_id").outcome.apply(lambda words: (words == "served").all())
        some = mine[mine.device_id.isin(served.index[served])]
        assert len(some) > 60
        assert facts[name].after(6) == pytest.approx(some.groupby("device_id").moved.sum().mean(), rel=0.02)
        assert facts[name].after(1) == pytest.approx(some[some["round"] == 1].moved.mean(), rel=0.02)
        assert facts[name].after(100) < facts[name].after(1) * 20


def test_there_is_none_where_nobody_prescribes_and_no_accuracy_where_nothing_is_ranked(
    tiny: Callable[..., list[str]], tmp_path: Path
) -> None:
    run = chordsim.run("offline", overrides=tiny("rounds.count=1", methods=("popularity",)), out=tmp_path / "a")
    assert pairs(gather(run.path)) == [] and blocks(gather(run.path)) == []
    sizes = chordsim.run("offline", overrides=tiny("protocol.metrics=none", methods=("fp32", "chord-plus")), out=tmp_path / "b")
    (pair,) = pairs(gather(sizes.path))
    assert pair.accuracy is None
