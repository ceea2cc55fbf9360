"""Metrics by name and by function: one of a few lines, the same numbers as a plain count over the ledger, and nothing without them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import chordsim
from chordsim import testing
from chordsim.errors import ScenarioError, UserError
from chordsim.metrics import MetricSpec, Ranked
from chordsim.metrics import spec as metrics
from chordsim.scenario.load import load
from chordsim.world import build


def long_tail(ranked: Ranked) -> Any:
    """Return the share of listed items that lie in the less known half of the catalogue."""
    known = ranked.item_counts > np.median(ranked.item_counts[1:])
    listed = ranked.lists > 0
    share = (listed & ~known[ranked.lists]).sum(1) / np.maximum(listed.sum(1), 1)
    return np.where(listed.any(1), share, np.nan)


LONG_TAIL = MetricSpec("long-tail", "share of the list in the less known half", long_tail, needs="lists")
ASKED = ("protocol.cuts=[3,10]", "protocol.keep_lists=10", 'protocol.metrics_of=["coverage","gini","novelty","mrr"]')


@pytest.fixture(scope="module")
def played(tiny_overrides: Callable[..., list[str]], shared_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CHORDSIM_CACHE", str(shared_cache))
        overrides = tiny_overrides(*ASKED, methods=("popularity", "uniform-2"))
        yield chordsim.run("offline", overrides=overrides, out=tmp_path_factory.mktemp("asked") / "asked-1")


def by_hand(frame: pd.DataFrame, value: Callable[[pd.Series], float]) -> float:
    """Return the mean over users of their means over rounds."""
    ranked = frame[frame["rank"].notna()]
    return float(ranked.apply(value, axis=1).groupby(ranked["user_id"]).mean().mean())


def test_the_summary_has_what_a_plain_count_over_the_ledger_has(played: Any) -> None:
    world = build(load(played.path / "scenario.toml"))
    counts = world.popularity + 1.0
    for method, m in played.summary["methods"].items():
        found, frame = m["metrics"], played.ledger[played.ledger["method"] == method]
        names = [f"{name}_{cut}" for name in ("hr", "ndcg", "coverage", "gini", "novelty") for cut in (3, 10)]
        assert list(found) == [*names, "mrr"]
        assert found["hr_10"]["mean"] == pytest.approx(m["hr_10"]["mean"]) and found["hr_10"]["ci95"] == pytest.approx(m["hr_10"]["ci95"])
        assert found["ndcg_10"]["mean"] == pytest.approx(m["ndcg_10"]["mean"])
        assert found["hr_3"]["mean"] == pytest.approx(by_hand(frame, lambda row: float(row["rank"] < 4)))
        assert found["mrr"]["mean"] == pytest.approx(by_hand(frame, lambda row: float(row["mrr"])))
        bits = by_hand(frame, lambda row: float(np.mean([-np.log2(counts[i] / counts[1:].sum()) for i in row["list"][:3] if i])))
        assert found["novelty_3"]["mean"] == pytest.approx(bits)
        listed = [int(item) for row in frame["list"] for item in row[:3] if item]
        assert found["coverage_3"]["mean"] == pytest.approx(len(set(listed)) / world.n_items) and found["coverage_3"]["ci95"] is None
        often = np.array([listed.count(item) for item in range(1, world.n_items + 1)])
        apart = np.abs(often[:, None] - often[None, :]).sum() / (2 * often.size * often.sum())  # Gini as half the mean difference
        assert found["gini_3"]["mean"] == pytest.approx(apart) and found["gini_3"]["better"] == "smaller"


def test_a_metric_of_ones_own_is_a_function_and_passes(played: Any) -> None:
    assert testing.check_metric(LONG_TAIL) == tuple(one.name for one in testing.metrics.PROPERTIES)
    frame = played.measure(LONG_TAIL, "coverage").set_index(["method", "metric"])
    assert list(frame.columns) == ["mean", "low", "high", "users"] and len(frame) == 2 * (1 + 2)
    own = frame.loc[("uniform-2", "long-tail")]
    assert own["low"] <= own["mean"] <= own["high"] and own["users"] > 0
    assert frame.loc[("popularity", "coverage_3"), "mean"] == played.summary["methods"]["popularity"]["metrics"]["coverage_3"]["mean"]


def test_page_and_terminal_show_them_only_where_asked(played: Any) -> None:
    from chordsim.report.asked_for import asked_for, asked_for_table

    assert "Metrics that were asked for" in (played.path / "report.html").read_text()
    table = asked_for_table(played.summary)
    assert table is not None and "gini_3 ↓" in table.heads and len(table.rows) == 2
    plain = {name: {key: value for key, value in m.items() if key != "metrics"} for name, m in played.summary["methods"].items()}
    assert asked_for_table({"methods": plain}) is None and asked_for(plain) == []


def test_a_metric_that_fails_takes_nothing_from_the_run(
    tiny: Callable[..., list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(ranked: Ranked) -> Any:
        raise ZeroDivisionError("nothing to divide by")

    monkeypatch.setattr(metrics, "find", lambda name: MetricSpec("mrr", "", broken))
    found = chordsim.run(
        "offline", overrides=tiny('protocol.metrics_of=["mrr"]', methods=("popularity",)), out=tmp_path / "r", report=False
    )
    assert found.status == "complete" and found.manifest["ledger_sha256"] and "metrics" not in found.summary["methods"]["popularity"]
    assert any("metric 'mrr': ZeroDivisionError: nothing to divide by" in line for line in found.manifest["remarks"])


def test_what_cannot_be_measured_is_refused_before_the_run(played: Any, tmp_path: Path) -> None:
    for wrong, words in (
        ('protocol.metrics_of=["coverag"]', "did you mean 'coverage'"),
        ('protocol.metrics_of=["coverage"]', "protocol.keep_lists = 0: 'coverage' is made of lists, and needs at least 10"),
        ('protocol.metrics_of=["mrr","mrr"]', "stands twice"),
    ):
        with pytest.raises(ScenarioError, match=words):
            load("offline", [wrong])
    with pytest.raises(UserError, match="not a run directory"):
        chordsim.api.RunResult(tmp_path).measure("mrr")
    with pytest.raises(ScenarioError, match="there is no 'nothing'"):
        played.measure("nothing")
