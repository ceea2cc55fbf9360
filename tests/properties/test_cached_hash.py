"""Where the catalogue stays in the cloud, one scenario has one ledger: over cells, workers, engines, cuts and resumes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import chordsim
from chordsim.api import RunResult
from tests.cut_off import Cut, CutAfter

HARD = (
    "backbone.items=cached",
    "backbone.cache_rows=50",
    "backbone.embedding_bits=by-frequency",
    "protocol.ranking=candidates",
    "protocol.candidates=20",
    "protocol.retriever=model",
    "data.synthetic.items=90",
    "rounds.count=4",
    "rounds.new_model_every=2",
    "clock.loss=0.2",
    "settings.cda4rec.short_history=12",
    "settings.chord-plus.reads=[30,8]",
    *(f"population.tiers.{tier}.memory_mb=9" for tier in ("low", "mid", "high")),
)
NAMES = ("retriever", "fp32", "chord-plus", "fedavg", "cda4rec")
_WHOLE: dict[str, RunResult] = {}


@pytest.fixture
def overrides(tiny: Callable[..., list[str]]) -> list[str]:
    """The scenario that all runs play."""
    return tiny(*HARD, methods=NAMES)


@pytest.fixture
def whole(overrides: list[str], tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    """The unbroken run; made once."""
    if "run" not in _WHOLE:
        _WHOLE["run"] = chordsim.run("offline", overrides=overrides, out=tmp_path_factory.mktemp("whole") / "run")
    return _WHOLE["run"]


def test_rows_are_evicted_lost_and_made_stale_in_this_run(whole: RunResult) -> None:
    """Or nothing hard was tried."""
    ledger = whole.ledger[whole.ledger.method == "fp32"]
    assert (ledger.outcome == "dropped").any() and (ledger.cached_rows <= 50).all() and ledger.cached_rows.max() > 25
    assert ledger[ledger["round"] == 3].rows_bytes.mean() > 2 * ledger[ledger["round"] == 2].rows_bytes.mean()


@pytest.mark.parametrize("plays", [1, 6, 11])
def test_a_resumed_ledger_equals_an_unbroken_one(plays: int, overrides: list[str], whole: RunResult, tmp_path: Path) -> None:
    with pytest.raises(Cut):
        chordsim.run("offline", overrides=overrides, out=tmp_path / "cut", progress=CutAfter(plays))
    again = chordsim.run(resume=tmp_path / "cut")
    assert again.manifest["status"] == "complete" and again.manifest["ledger_sha256"] == whole.manifest["ledger_sha256"]
    assert again.summary["methods"] == whole.summary["methods"] and again.manifest["retriever"] == whole.manifest["retriever"]


def test_cells_and_workers_change_nothing(overrides: list[str], whole: RunResult, tmp_path: Path) -> None:
    other = chordsim.run("offline", overrides=[*overrides, "engine.cells=3", "engine.workers=2"], out=tmp_path / "run")
    assert other.manifest["ledger_sha256"] == whole.manifest["ledger_sha256"]


@pytest.mark.slow
def test_the_engine_on_ray_changes_nothing(overrides: list[str], whole: RunResult, tmp_path: Path) -> None:
    ray = chordsim.run("offline", overrides=overrides, engine="ray", workers=2, out=tmp_path / "ray")
    assert ray.manifest["status"] == "complete" and ray.manifest["ledger_sha256"] == whole.manifest["ledger_sha256"]
