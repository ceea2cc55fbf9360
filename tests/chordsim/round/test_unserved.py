"""What becomes of phones that a round does not serve: offline, cut, late; what they show; when a new model comes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import chordsim
from chordsim.api import RunResult

SMALL = [
    'methods=["fp32","chord-shared","chord-plus","cloud-only"]',
    "data.synthetic.users=60",
    "data.synthetic.items=80",
    "training.max_steps=4",
    "training.eval_every=4",
    "rounds.count=4",
    "engine.chunk_size=16",
    "backbone.dim=16",
    "backbone.ffn_dim=16",
    "population.tiers.low.memory_mb=9",
    "population.tiers.mid.memory_mb=9",
    "population.tiers.high.memory_mb=9",
    "population.spread=0",
]
WEATHER = ["clock.loss=0.3", 'population.availability.kind="diurnal"', "clock.round_every_h=7"]


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    return chordsim.run("offline", overrides=SMALL, out=tmp_path_factory.mktemp("calm") / "run")


@pytest.fixture(scope="module")
def rough(tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    return chordsim.run("offline", overrides=[*SMALL, *WEATHER], out=tmp_path_factory.mktemp("rough") / "run")


def keyed(run: RunResult) -> pd.DataFrame:
    return run.ledger.set_index(["method", "round", "device_id"])


def test_in_calm_weather_everybody_is_served(calm: RunResult) -> None:
    assert (calm.ledger.outcome == "served").all() and (calm.ledger.served_by == "fresh").all()


def test_offline_phones_cost_nothing_and_are_the_same_for_every_method(rough: RunResult) -> None:
    away = rough.ledger[rough.ledger.outcome == "offline"]
    assert len(away) > 100 and (away[["down_bytes", "up_bytes", "wasted_bytes", "round_trips", "radio_j"]] == 0).all().all()
    who = away.groupby("method", observed=True)[["round", "device_id"]].apply(lambda t: frozenset(map(tuple, t.to_numpy().tolist())))
    assert who.nunique() == 1


def test_an_old_plan_that_is_the_same_for_all_ranks_as_a_fresh_one(calm: RunResult, rough: RunResult) -> None:
    """The plan of chord-shared, and fp32's model, do not age: an independent reference for what stale phones show."""
    stale = keyed(rough)[lambda t: t.served_by == "stale"]
    for method in ("fp32", "chord-shared"):
        shown = stale.loc[[method]]
        assert len(shown) > 5
        fresh = keyed(calm).loc[shown.index]
        assert (shown["rank"] == fresh["rank"]).all(), method
        assert (shown["macs"] == fresh["macs"]).all()


def test_plans_age_from_the_round_that_they_were_made_in(rough: RunResult) -> None:
    rows = keyed(rough).loc["chord-plus"].reset_index()
    made: dict[int, int] = {}
    for row in rows.sort_values(["round", "device_id"]).itertuples():
        if row.served_by == "stale":
            assert row.plan_age_rounds == row.round - made[row.device_id]
        elif row.outcome != "served":
            assert row.device_id not in made and row.served_by == "fallback"
        if row.prescription_bytes and not row.cut_down_bytes:
            made[row.device_id] = row.round
    assert (rows.served_by == "stale").sum() > 10


def test_a_personal_plan_is_made_again_from_the_history_of_its_own_round(calm: RunResult, rough: RunResult) -> None:
    """An aged personal plan is mostly not the one of today, yet it is a plan."""
    shown = keyed(rough)[lambda t: t.served_by == "stale"].loc[["chord-plus"]]
    fresh = keyed(calm).loc[shown.index]
    assert shown["bits_mean"].notna().all() and (shown["bits_mean"] <= 2.0).all()
    assert (shown["model_bytes"] > 0).all() and not (shown["rank"] == fresh["rank"]).all()


def test_a_list_from_the_cloud_does_not_keep(rough: RunResult) -> None:
    rows = rough.ledger[rough.ledger.method == "cloud-only"]
    assert set(rows.served_by) == {"fresh", "fallback"}


def test_a_new_model_costs_every_phone_the_bootstrap_again(tmp_path: Path) -> None:
    run = chordsim.run("offline", overrides=[*SMALL, "rounds.new_model_every=2"], out=tmp_path / "run")
    paid = run.ledger.groupby(["method", "round"], observed=True).bootstrap_bytes.agg(["min", "max"])
    for method in ("fp32", "chord-plus"):
        assert (paid.loc[method, "max"] > 0).tolist() == [True, False, True, False]
        assert (paid.loc[method, "min"] == paid.loc[method, "max"]).all()


def test_a_quorum_closes_when_enough_have_finished_and_over_selection_asks_more(tmp_path: Path) -> None:
    # Phones alike would finish at the same time, and a quorum takes all who have finished by then.
    extra = ["population.selected=20", "clock.over_select=1.5", "clock.quorum=1.0", "population.spread=0.1"]
    run = chordsim.run("offline", overrides=[*SMALL, *extra], out=tmp_path / "run")
    for _, rows in run.ledger.groupby(["method", "round"], observed=True):
        assert len(rows) == 30 and (rows.outcome == "served").sum() == 20 and (rows.outcome == "late").sum() == 10
        assert rows[rows.outcome == "served"].total_s.max() <= rows[rows.outcome == "late"].total_s.min()
    slowest = run.ledger[run.ledger.outcome == "served"].groupby(["method", "round"], observed=True).total_s.max()
    closed = run.rounds.set_index(["method", "round"]).round_s
    assert np.allclose(closed.sort_index(), slowest.sort_index())


def test_a_drained_battery_keeps_phones_away(tmp_path: Path) -> None:
    shares = []
    for floor in (0.0, 0.55, 0.7):
        extra = [f"population.availability.battery_floor={floor}", "clock.start_h=19", 'methods=["fp32"]', "rounds.count=1"]
        run = chordsim.run("offline", overrides=[*SMALL, *extra], out=tmp_path / str(floor))
        shares.append((run.ledger.outcome == "offline").mean())
    assert shares[0] == 0 < shares[1] < shares[2] < 1
