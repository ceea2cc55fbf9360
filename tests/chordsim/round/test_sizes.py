"""Sizes in closed form are the sizes of a real run; fleets of any size take the memory of a block."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import chordsim
from chordsim.errors import UserError
from chordsim.ledger.columns import PER_ROW
from chordsim.round import sizes
from chordsim.scenario.load import load
from chordsim.sized import sized_world

SMALL = [
    'methods=["fp32","uniform-2","chord","chord-plus","cloud-only"]',
    "data.synthetic.users=90",
    "data.synthetic.items=80",
    "training.max_steps=4",
    "training.eval_every=4",
    "rounds.count=3",
    "engine.chunk_size=32",
    "clock.loss=0.2",
    "clock.deadline_s=0.5",
    'population.availability.kind="diurnal"',
    "clock.round_every_h=5",
    "rounds.new_model_every=2",
]
_SCORES = ("rank", "fallback_rank", "hr_5", "ndcg_5", "hr_10", "ndcg_10", "mrr", "ndcg_10_all", "user_id")
#: What depends on the plan's own channels, or on the cloud's networks; their closed form is an upper end.
_OF_THE_PLAN = (
    "macs",
    "bitops",
    "infer_s",
    "total_s",
    "compute_j",
    "binding",
    "bits_mean",
    "model_bytes",
    "peak_memory_bytes",
    "cloud_macs",
)


@pytest.mark.parametrize(
    "protocol", [[], ["protocol.ranking=candidates", "data.synthetic.items=160", "clock.deadline_s=0"]], ids=["all", "candidates"]
)
def test_the_closed_form_is_what_a_real_run_sends(tmp_path: Path, protocol: list[str]) -> None:
    overrides = [*SMALL, *protocol]
    real = (
        chordsim.run("offline", overrides=overrides, out=tmp_path / "run").ledger.set_index(["method", "round", "device_id"]).sort_index()
    )
    world = sized_world(load("offline", overrides))
    compared = 0
    for player in sizes.players(world, sizes.bootstraps(world)):
        exact = player[0].spec.name in ("fp32", "uniform-2")
        for round in (1, 2, 3):
            (played,) = sizes.play(player, world, round, world.population.select(round))
            rows = played.rows
            other = real.loc[(rows.method, round)]
            for column in (c.name for c in PER_ROW if c.name not in ("device_id", *_SCORES)):
                if column in _OF_THE_PLAN and not (exact and column != "cloud_macs"):
                    continue
                where = f"{rows.method} round {round} {column}"
                if column in rows.words:
                    assert (rows.texts(column) == other[column].astype(str).to_numpy()).all(), where
                else:
                    wanted = other[column].astype("float64").to_numpy()
                    assert np.allclose(rows.floats(column), wanted, rtol=1e-9, equal_nan=True), where
                compared += 1
            if not exact:
                assert (rows["macs"] >= other["macs"].to_numpy()).all()
    assert compared > 400


def test_blocks_do_not_show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    overrides = [*SMALL, 'protocol.metrics="none"', "clock.quantile=0.8", "population.devices=700"]
    monkeypatch.setattr("chordsim.forecast.predict.PHONES", (20, 20))
    hashes = []
    for block in (1 << 16, 333):
        monkeypatch.setattr("chordsim.round.sizes.BLOCK", block)
        run = chordsim.run("offline", overrides=overrides, out=tmp_path / str(block))
        hashes.append(run.manifest["ledger_sha256"])
    assert hashes[0] == hashes[1]
    assert (run.ledger.outcome == "late").any() and run.ledger["rank"].isna().all()


def test_a_fleet_beyond_the_rows_that_are_kept_leaves_sums(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    overrides = [*SMALL, 'protocol.metrics="none"']
    whole = chordsim.run("offline", overrides=overrides, out=tmp_path / "rows")
    monkeypatch.setattr("server.stages.MOST_ROWS", 10)
    sums = chordsim.run("offline", overrides=overrides, out=tmp_path / "sums")
    assert not list((tmp_path / "sums" / "ledger").glob("*.parquet")) and "not kept" in sums.manifest["ledger"]
    for method, found in whole.summary["methods"].items():
        other = sums.summary["methods"][method]
        for name in ("served_share", "down_bytes_per_device", "p50_total_s", "outcomes", "binding", "per_tier", "joules_per_device"):
            assert other[name] == found[name], name
    assert whole.rounds.equals(sums.rounds)


def test_budgets_that_bind_nobody_are_called_inert_and_refusals_have_reasons(tmp_path: Path) -> None:
    base = [*SMALL, 'protocol.metrics="none"', 'methods=["fp32"]', 'population.availability.kind="always"']
    wide = [f"population.tiers.{t}.{k}" for t in ("low", "mid", "high") for k in ("memory_mb=999", "latency_ms=1e6")]
    inert = chordsim.run("offline", overrides=[*base, *wide], out=tmp_path / "inert").manifest["budgets"]
    assert inert["inert"] and "fewer than 10%" in inert["warning"] and inert["bound_share"] == 0 and not inert["refusals"]
    tight = chordsim.run("offline", overrides=[*base, "population.tiers.low.memory_mb=0.001"], out=tmp_path / "tight").manifest["budgets"]
    assert not tight["inert"] and "warning" not in tight
    assert {(r["tier"], r["refused_by"], r["reason"]) for r in tight["refusals"]} >= {("low", "cloud", "memory")}


def test_a_fleet_cannot_be_resumed(tmp_path: Path) -> None:
    run = chordsim.run("offline", overrides=[*SMALL, 'protocol.metrics="none"'], out=tmp_path / "run")
    with pytest.raises(UserError, match=r"resume"):
        chordsim.run(resume=run.path)
