"""The main job on a tiny synthetic scenario: the same ledger every time, a whole run directory, what was finished stays."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import clients.app
from chordsim import api
from chordsim.api import RunResult
from chordsim.errors import DataError, InvariantError, UserError
from chordsim.ledger.columns import COLUMNS
from chordsim.ledger.parquet import read_ledger
from chordsim.round import live

Run = Callable[..., RunResult]
SIX = ("fp32", "uniform-2", "chord", "chord-plus", "chord-shared", "cloud-only")


@pytest.fixture
def run(tiny: Callable[..., list[str]], tmp_path: Path) -> Run:
    """Return a function that runs the tiny scenario into a new folder."""
    count = iter(range(100))

    def go(*more: str, seed: int | None = None, out: Path | None = None, methods: tuple[str, ...] = SIX) -> RunResult:
        return api.run("offline", overrides=tiny(*more, methods=methods), seed=seed, out=out or tmp_path / f"run-{next(count)}")

    return go


def test_the_same_scenario_twice_is_the_same_ledger_and_another_seed_another(run: Run) -> None:
    first, again, other = run(), run(), run(seed=2)
    assert first.manifest["status"] == "complete"
    assert first.manifest["ledger_sha256"] == again.manifest["ledger_sha256"] != other.manifest["ledger_sha256"]
    pd.testing.assert_frame_equal(first.ledger, again.ledger)
    assert all(again.manifest["cloud_models"].values())
    assert first.summary["methods"] == again.summary["methods"]


def test_a_run_directory_is_whole(run: Run) -> None:
    done = run()
    names = {path.name for path in done.path.iterdir()}
    assert {"scenario.toml", "manifest.json", "devices.parquet", "ledger", "rounds.csv", "summary.json"} <= names
    assert len(list((done.path / "ledger").glob("*.parquet"))) == len(SIX) * 2
    ledger = done.ledger
    assert list(ledger.columns)[:2] == ["method", "round"] and set(ledger.columns) == {c.name for c in COLUMNS}
    assert len(ledger) == len(SIX) * 2 * 40 and len(done.devices) == 40
    assert set(done.summary["methods"]) == set(SIX) and len(done.rounds) == len(SIX) * 2
    for name, line in done.summary["methods"].items():
        rows = ledger[ledger.method == name]
        assert line["served_share"] == pytest.approx((rows.outcome == "served").mean())
        assert line["down_bytes_per_device"] == pytest.approx(rows.down_bytes.mean())
    assert done.summary["users"] == 40 and done.manifest["data"]["how"] == "synthetic"
    assert done.manifest["protocol"]["ranking"] == "all items"
    assert json.loads((done.path / "manifest.json").read_text())["seed"] == 1
    # Whoever was refused by the cloud cost nothing, in any method.
    by_cloud = ledger[ledger.refused_by == "cloud"]
    assert (by_cloud[["down_bytes", "up_bytes", "bootstrap_bytes"]].to_numpy() == 0).all()


def test_a_run_from_its_own_resolved_scenario_is_the_same_run(run: Run, tmp_path: Path) -> None:
    first = run(methods=("fp32", "chord-plus"))
    again = api.run(first.path / "scenario.toml", out=tmp_path / "again")
    assert again.manifest["ledger_sha256"] == first.manifest["ledger_sha256"]


def test_cells_change_nothing_and_chunks_no_byte(run: Run) -> None:
    first = run(methods=("fp32", "chord-plus", "cloud-only"))
    cells = run("engine.cells=3", methods=("fp32", "chord-plus", "cloud-only"))
    assert cells.manifest["ledger_sha256"] == first.manifest["ledger_sha256"]
    for size in (40,):
        other = run(f"engine.chunk_size={size}", methods=("fp32", "chord-plus", "cloud-only")).ledger
        numbers = [c for c in first.ledger.columns if c.endswith("_bytes")]
        pd.testing.assert_frame_equal(first.ledger[numbers], other[numbers])
        assert (first.ledger.outcome == other.outcome).all()


@pytest.mark.parametrize("broken", ["population.tiers.low.memory_of_fp32=0.01", "clock.loss=1.0", "clock.deadline_s=0.1"])
def test_hard_times_still_end_in_a_whole_ledger(run: Run, broken: str) -> None:
    done = run(broken, methods=("fp32", "chord-plus", "cloud-only"))
    assert done.manifest["status"] == "complete"
    assert not done.ledger.ndcg_10_all.isna().any()


def test_budgets_that_nobody_can_meet_refuse_everybody(run: Run) -> None:
    nobody = [f"population.tiers.{tier}.latency_ms=0.0000001" for tier in ("low", "mid", "high")]
    done = run(*nobody, methods=("fp32", "chord-plus"))
    assert (done.ledger.outcome == "refused").all() and done.summary["methods"]["fp32"]["ndcg_10"]["mean"] is None
    assert done.summary["methods"]["fp32"]["ndcg_10_all"]["mean"] >= 0


def test_an_interrupt_in_the_second_round_leaves_the_first_one_readable(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    play, played = live.play, []

    def interrupted(method: Any, world: Any, scene: Any, *rest: Any) -> Any:
        played.append((method.spec.name, scene.round))
        if played[-1] == ("chord-plus", 2):
            raise KeyboardInterrupt
        return play(method, world, scene, *rest)

    monkeypatch.setattr(live, "play", interrupted)
    out = tmp_path / "cut"
    with pytest.raises(KeyboardInterrupt):
        run(out=out, methods=("fp32", "chord-plus"))
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["status"] == "interrupted" and not manifest.get("ledger_sha256")
    ledger = read_ledger(out)
    assert len(ledger[ledger["round"] == 1]) == 2 * 40
    rounds = pd.read_csv(out / "rounds.csv")
    assert rounds["round"].tolist() == [1, 1]
    monkeypatch.undo()


def test_a_client_that_raises_degrades_the_run_and_keeps_the_rest(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    step = clients.app.step

    def failing(node: Any, call: Any) -> Any:
        if call.header["method"] == "chord-plus" and call.header["round"] == 2:
            raise MemoryError("out of memory")
        return step(node, call)

    monkeypatch.setattr(clients.app, "step", failing)
    done = run(methods=("fp32", "chord-plus"))
    assert done.manifest["status"] == "degraded" and not done.manifest.get("ledger_sha256")
    assert any("out of memory" in error for error in done.manifest["errors"])
    ledger = done.ledger
    lost = (ledger.method == "chord-plus") & (ledger["round"] == 2) & (ledger.refused_by != "cloud")
    assert (ledger[lost].outcome == "failed").all() and lost.sum() > 20
    assert not (ledger[~lost].outcome == "failed").any()


def test_a_broken_invariant_fails_the_run_and_says_so(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from chordsim.engine import grid

    count = grid.wire_bytes
    monkeypatch.setattr(grid, "wire_bytes", lambda record: count(record) + 1)
    with pytest.raises(InvariantError, match="but the engine moved"):
        run(out=tmp_path / "bad", methods=("chord-plus",))
    manifest = json.loads((tmp_path / "bad" / "manifest.json").read_text())
    assert manifest["status"] == "failed" and "InvariantError" in manifest["errors"][0]


def test_mistakes_are_told_before_anything_is_trained(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError):
        run(out=tmp_path / "file" / "below")
    with pytest.raises(DataError, match="nowhere"):
        run('data.source="file"', f'data.path="{tmp_path}/nowhere.csv"')
    with pytest.raises(UserError, match="all"):
        run('protocol.ranking="sampled-100"')
    with pytest.raises(UserError, match="selected"):
        run("population.selected=41")


def test_more_phones_than_users_share_them_and_users_cluster_the_statistics(run: Run) -> None:
    done = run("population.devices=100", "population.selected=60", methods=("cloud-only",))
    ledger = done.ledger
    assert len(ledger) == 120 and ledger.user_id.nunique() <= 40 and ledger.device_id.max() > 40
    assert done.summary["methods"]["cloud-only"]["ndcg_10"]["users"] <= 40


def test_users_that_the_cloud_does_not_know_are_marked_and_served(run: Run) -> None:
    done = run("data.cloud_share=0.5", methods=("fp32", "chord-plus"))
    known = done.devices.known_to_cloud
    assert 5 < known.sum() < 35
    served = done.ledger[(done.ledger.method == "chord-plus") & (done.ledger.outcome == "served")]
    assert set(served.user_id) - set(done.devices.user_id[known])


def test_smaller_embeddings_shrink_the_bootstrap_and_still_rank(run: Run) -> None:
    boots = []
    for bits in (32, 16, 8):
        ledger = run(f"backbone.embedding_bits={bits}", methods=("fp32", "chord-plus")).ledger
        boots.append(ledger[ledger["round"] == 1].groupby("method").bootstrap_bytes.max().to_numpy())
        assert np.isfinite(ledger[ledger.outcome == "served"]["rank"]).all()
    assert (np.diff(np.stack(boots), axis=0) < 0).all()


def test_a_trained_backbone_is_shipped_once_and_counted(run: Run) -> None:
    random, trained = (run(f'backbone.init="{init}"', methods=("chord-plus",)).ledger for init in ("random", "trained"))
    weights = 4 * 12 * 16 * 16
    assert trained.bootstrap_bytes.max() - random.bootstrap_bytes.max() > weights
    assert trained[trained["round"] == 2].bootstrap_bytes.max() == 0
    assert (trained.outcome == "served").any()


def test_a_data_file_that_changed_between_runs_is_read_anew(run: Run, tmp_path: Path) -> None:
    """The same scenario in the same process, over a file with one more user: the second run plays the second file."""
    lines = [f"{user},{1 + (user * 3 + step) % 25},5,{step}" for user in range(20) for step in range(12)]
    path = tmp_path / "log.csv"
    given = ('data.source="file"', f'data.path="{path}"')
    users = []
    for more in ([], [f"20,{item},5,{item}" for item in range(1, 12)]):
        path.write_text("\n".join(["user,item,rating,timestamp", *lines, *more]) + "\n")
        done = run(*given, methods=("cloud-only",))
        assert done.manifest["status"] == "complete"
        users.append(len(done.devices))
    assert users == [20, 21]


def test_a_worker_with_other_data_than_the_server_says_so(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients.app, "step", lambda node, call, step=clients.app.step: step(node, _told(call, data="0" * 64)))
    done = run(methods=("cloud-only",))
    assert done.manifest["status"] == "failed"
    assert "no phone ranked" in done.manifest["errors"][0] and "differ from those of the server" in done.manifest["errors"][1]


def _told(call: Any, **header: str) -> Any:
    return replace(call, header={**call.header, **header})
