"""A run that is not whole says so: in its status, its exit code, a warning, its page and its tables; one of sizes alone is whole."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

import chordsim
import clients.app
from chordsim.cli import main
from chordsim.config.model import ProtocolConfig, Scenario
from chordsim.errors import NotWhole, ScenarioError
from chordsim.ledger.columns import OUTCOMES
from chordsim.recost.again import recost
from chordsim.report.export import table
from chordsim.store.ending import ending

Tiny = Callable[..., list[str]]
NOBODY = [f"population.tiers.{tier}.memory_of_fp32=0.0001" for tier in ("low", "mid", "high")]


def sets(overrides: list[str]) -> list[str]:
    return [word for text in overrides for word in ("--set", text)]


def told(run: Path, capfd: pytest.CaptureFixture[str]) -> str:
    """Return what the page and the tables of a run say."""
    capfd.readouterr()
    assert main(["report", str(run)]) == 0
    return (run / "report.html").read_text() + table(run, "markdown")


def test_metrics_that_nobody_gave_fail_the_run(tiny: Tiny, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "run"
    assert main(["run", "offline", *sets(tiny(*NOBODY, methods=("fp32", "chord"))), "--out", str(out)]) == 1
    said = capfd.readouterr().err
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["status"] == "failed" and manifest["ledger_sha256"] is None
    assert "no phone ranked in any method" in manifest["errors"][0] and "refused" in manifest["errors"][0]
    assert manifest["errors"][0] in said and "the run is failed" in said
    assert told(out, capfd).count("This run is failed") == 2
    with pytest.warns(NotWhole, match="no phone ranked"):
        again = chordsim.run("offline", overrides=tiny(*NOBODY, methods=("fp32",)), out=tmp_path / "again", report=False)
    assert again.status == "failed" and (again.ledger.outcome == "refused").all()


def test_a_method_that_is_lost_degrades_the_run(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    step = clients.app.step

    def failing(node: Any, call: Any) -> Any:
        if call.header["method"] == "chord":
            raise MemoryError("out of memory")
        return step(node, call)

    monkeypatch.setattr(clients.app, "step", failing)
    with pytest.warns(NotWhole, match="degraded: chord: no phone ranked"):
        run = chordsim.run("offline", overrides=tiny(methods=("fp32", "chord")), out=tmp_path / "run", report=False)
    assert run.status == "degraded" and not run.manifest["ledger_sha256"]
    assert run.summary["methods"]["fp32"]["ndcg_10"]["users"] > 0
    assert told(run.path, capfd).count("This run is degraded") == 2
    assert main(["compare", str(run.path), str(run.path), "--out", str(tmp_path / "page.html")]) == 0
    assert "is degraded: chord: no phone ranked" in capfd.readouterr().out
    assert "is degraded: chord: no phone ranked" in (tmp_path / "page.html").read_text()


def facts(ranked: int, **outcomes: int) -> dict[str, Any]:
    return {"ndcg_10": {"users": ranked}, "outcomes": dict.fromkeys(OUTCOMES, 0) | outcomes}


@pytest.mark.parametrize(
    ("methods", "lost", "metrics", "status"),
    [
        ({"a": facts(3, served=3), "b": facts(2, served=2, failed=1)}, [], "all", "complete"),
        ({"a": facts(3, served=3), "b": facts(0, refused=3)}, [], "all", "complete"),
        ({"a": facts(3, served=3), "b": facts(0, refused=2, failed=1)}, [], "all", "degraded"),
        ({"a": facts(3, served=3)}, ["cell 1: gone"], "all", "degraded"),
        ({"a": facts(0, refused=3), "b": facts(0, dropped=3)}, [], "all", "failed"),
        ({"a": facts(0, failed=3)}, ["cell 1: gone"], "all", "failed"),
        ({"a": facts(0, served=3)}, [], "none", "complete"),
    ],
)
def test_how_a_run_ends(methods: dict[str, Any], lost: list[str], metrics: Any, status: str) -> None:
    found, errors = ending(Scenario(protocol=ProtocolConfig(metrics=metrics)), methods, lost)
    assert found == status and bool(errors) == (status != "complete") and errors[len(errors) - len(lost) :] == lost


def test_negatives_without_scores_are_refused_before_anything_is_made(tiny: Tiny, tmp_path: Path) -> None:
    for method in ("cloud-only", "cda4rec"):
        with pytest.raises(ScenarioError, match=f"{method}.*sends a list"):
            chordsim.run("offline", overrides=tiny('protocol.ranking="sampled-100"', methods=("fp32", method)), out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("most", [200_000, 10])
def test_a_run_of_sizes_is_whole_and_has_page_compare_and_recost(
    most: int, tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """With rows, and as a fleet so large that only sums are kept; recost is the rerun."""
    monkeypatch.setattr("server.stages.MOST_ROWS", most)
    monkeypatch.chdir(tmp_path)
    sizes = tiny('protocol.metrics="none"', "population.devices=90", "population.selected=70", methods=("fp32", "chord", "cloud-only"))
    changed = ["clock.loss=0.3", "clock.deadline_s=5.0"]
    for name, more in (("one", []), ("two", changed)):
        assert main(["run", "offline", *sets([*sizes, *more]), "--out", name]) == 0
        said = capfd.readouterr().out
        assert "nothing ranked" in said and "ranked among" not in said and "NDCG" not in said
    one, two = chordsim.api.RunResult(tmp_path / "one"), chordsim.api.RunResult(tmp_path / "two")
    assert one.status == "complete" and one.summary["protocol"]["ranking"] == "nothing: sizes only"
    page = (tmp_path / "one" / "report.html").read_text()
    assert "cloud-only" in page and "nothing: sizes only" in page and "all items" not in page and ("made from sums" in page) == (most == 10)
    # Who pays is told too, in service alone; users that were not told apart give no interval.
    gap = one.summary["methods"]["fp32"]["tier_gap"]
    assert "Who pays for heterogeneity" in page and "gap in service" in page and "gap in NDCG" not in page
    assert gap["served_share"]["gap"] > 0 and (gap["served_share"]["ci95"] is None) == (most == 10)
    assert bool(gap["served_share"]["users"]) == (most != 10)
    assert f"{gap['served_share']['best']}, {gap['served_share']['worst']}" in page
    assert main(["compare", "one", "two"]) == 0
    said = capfd.readouterr().out
    assert "clock.loss: 0.0 / 0.3" in said and "Nothing was ranked" in said and "side by side" in (tmp_path / "compare.html").read_text()
    found = recost(tmp_path / "one", changed)
    assert not any(found.unknown.values()) and found.before == one.summary["methods"]
    # A rerun from sums tells no user apart, so its gap between tiers has another weight and no interval.
    skip = ("ndcg_10", "ndcg_10_all", "hr_10", "ndcg_10_common", "tier_gap")
    for method, wanted in two.summary["methods"].items():
        assert {k: v for k, v in found.after[method].items() if k not in skip} == {k: v for k, v in wanted.items() if k not in skip}
    assert found.after != found.before


def test_the_phones_of_a_fleet_say_that_they_are_a_part(tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.stages.MOST_ROWS", 25)
    fleet = ('protocol.metrics="none"', "population.devices=90", "population.selected=70")
    for name, more, rows, fleet_size, part in (
        ("fleet", fleet, 25, 90, True),
        ("selected", ("population.devices=90", "population.selected=70"), 70, 90, True),
        ("all", (), 40, 40, False),
    ):
        run = chordsim.run("offline", overrides=tiny(*more, methods=("popularity",)), out=tmp_path / name, report=False)
        meta = pq.read_schema(run.path / "devices.parquet").metadata
        held = {key: json.loads(meta[f"chordsim.{key}".encode()]) for key in ("rows", "fleet", "part", "which")}
        assert held == run.manifest["devices"]
        assert (held["rows"], held["fleet"], held["part"]) == (rows, fleet_size, part) and len(run.devices) == rows
        assert (f"of a fleet of {fleet_size}" in held["which"]) and ("the first 25 of 70" in held["which"]) == (name == "fleet")
        assert np.all(np.diff(run.devices.device_id) > 0)
