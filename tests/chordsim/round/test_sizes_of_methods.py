"""Every shipped method: a run in sizes charges the bytes that the real run charges, new versions of learning methods included."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import chordsim
from chordsim import methods
from chordsim.api import RunResult
from chordsim.forecast.predict import QUANTITIES
from chordsim.ledger.columns import PER_ROW
from chordsim.round import sizes
from chordsim.scenario.load import load
from chordsim.sized import sized_world
from tests.plenty import PLENTY

NAMES = tuple(sorted(name.replace("-k", "-2") for name, path in methods.known().items() if path.startswith("chordsim.")))
#: One of each exchange and of each kind of model; the slow tests play the others.
EXCHANGES = ("cda4rec", "chord", "chord-plus", "cloud-only", "dccl", "fedavg", "forward-ofa", "fp32", "markov", "static-mixed", "uniform-2")
#: What this one sends depends on the user; the closed form is the most that it sends.
BY_USER = {"forward-ofa": ("prescription_bytes",)}
#: How many rows of each width this one ships depends on the trained weights, within a plan of fixed mean bits.
BY_WEIGHTS = {"static-mixed": "bootstrap_bytes"}
BYTES = [c.name for c in PER_ROW if c.name.endswith("_bytes") and c.name not in ("model_bytes", "peak_memory_bytes")]
PARTS = ("candidates", "prescription", "profile", "update", "report", "framing_down", "framing_up")
WHOLE = [f"{part}_bytes" for part in PARTS]


Runs = tuple[RunResult, pd.DataFrame, pd.DataFrame]


def both(overrides: list[str], out: Path) -> Runs:
    """Return the real run, its ledger and that of the run in sizes, by method, round and device."""
    run = chordsim.run("offline", overrides=overrides, out=out, report=False)
    real = run.ledger
    world = sized_world(load("offline", overrides))
    told = []
    for player in sizes.players(world, sizes.bootstraps(world)):
        for round in range(1, world.scenario.rounds.count + 1):
            for played in sizes.play(player, world, round, world.population.select(round)):
                rows = played.rows
                words = {name: rows.texts(name) for name in ("outcome", "refused_by", "binding")}
                numbers = {c.name: rows.floats(c.name) for c in PER_ROW if c.name not in rows.words}
                told.append(pd.DataFrame({**numbers, **words, "method": rows.method, "round": round}))
    key = ["method", "round", "device_id"]
    whole = pd.concat(told).astype({"device_id": "int64"})
    return run, real.astype({"method": str}).set_index(key).sort_index(), whole.set_index(key).sort_index()


WEATHER = ("rounds.count=4", "clock.loss=0.15", 'population.availability.kind="diurnal"', "clock.round_every_h=5")


@pytest.mark.parametrize("names", [EXCHANGES, pytest.param(tuple(n for n in NAMES if n not in EXCHANGES), marks=pytest.mark.slow)])
def test_bytes_in_sizes_are_those_of_the_real_run(names: tuple[str, ...], tiny: Callable[..., list[str]], tmp_path: Path) -> None:
    _, real, told = both(tiny(*PLENTY, *WEATHER, methods=names), tmp_path / "run")
    assert (real.index == told.index).all() and (real["outcome"] == told["outcome"]).all()
    for name in names:
        mine, theirs = real.loc[name], told.loc[name]
        if name in BY_USER:
            # A message that is cut crosses in part, so parts are compared that are not.
            for column in WHOLE:
                wanted, most = mine[column].to_numpy(), theirs[column].to_numpy()
                assert (wanted <= most).all() if column in BY_USER[name] else (wanted == most).all(), (name, column)
            continue
        for column in BYTES:
            wanted, found = mine[column].to_numpy(np.float64), theirs[column].to_numpy()
            if name in BY_WEIGHTS and column in (BY_WEIGHTS[name], "down_bytes", "cut_down_bytes", "wasted_bytes"):
                assert np.allclose(wanted, found, rtol=0.1), (name, column)
            else:
                assert (wanted == found).all(), (name, column)
    for name in {"fedavg", "dccl"} & set(names):
        boots = real.loc[name]["bootstrap_bytes"]
        assert 0 < boots.loc[2][boots.loc[2] > 0].min() < boots.loc[1].max(), "a phone downloads what changed, and no more"


def test_new_cloud_models_and_routes_cost_the_same_in_sizes(tiny: Callable[..., list[str]], tmp_path: Path) -> None:
    names, more = ("fp32", "chord-plus", "fedavg", "cda4rec"), ("rounds.new_model_every=2", "settings.cda4rec.short_history=12")
    _, real, told = both(tiny(*PLENTY, *WEATHER, *more, methods=names), tmp_path / "run")
    for name in names[:-1]:
        assert (real.loc[name][BYTES].to_numpy() == told.loc[name][BYTES].to_numpy()).all(), name
    # Wherever a user is ranked, the list crosses once, and a byte of plan.
    mine, theirs = real.loc["cda4rec"], told.loc["cda4rec"]
    served = ((mine["outcome"] == "served") & (theirs["outcome"] == "served")).to_numpy()
    routes = mine["candidates_bytes"].to_numpy()[served]
    assert (routes > 0).any() and (routes == 0).any()
    assert (mine["down_bytes"].to_numpy()[served] == theirs["down_bytes"].to_numpy()[served]).all()


#: Their channels, blocks or routes depend on the user, so that the closed form is an upper end.
PLANS = ("static-mixed", "forward-ofa", *(name for name in NAMES if name.startswith("chord")))
WORK = ("macs", "train_macs", "bitops", "model_bytes", "peak_memory_bytes", "bits_mean")
COSTS = (*WORK, "adapt_s", "infer_s", "total_s", "compute_j", "radio_j")
#: Memory and speed that let some phones in and some not, of models of very different size.
TIGHT = [
    "population.tiers.low.memory_mb=0.03",
    "population.tiers.mid.memory_mb=0.06",
    "population.tiers.high.memory_mb=0.3",
    "population.tiers.low.latency_ms=0.01",
]


@pytest.fixture(scope="module")
def tight(tiny_overrides: Callable[..., list[str]], shared_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """Return a run of every method on phones that are too small for some, and what sizes tell of it."""
    overrides = tiny_overrides(*TIGHT, "rounds.count=3", "clock.loss=0.15", "population.devices=150", methods=NAMES)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CHORDSIM_CACHE", str(shared_cache))
        return both(overrides, tmp_path_factory.mktemp("tight") / "run")


def test_costs_and_refusals_in_sizes_are_those_of_the_real_run(tight: Runs) -> None:
    _, real, told = tight
    exact = [name for name in NAMES if name not in PLANS]
    assert len(exact) >= 12
    refused = 0
    for name in NAMES:
        mine, theirs = real.loc[name], told.loc[name]
        if name in PLANS:
            # A phone that is refused for the most that its plan may take could still bear the plan that it gets.
            assert (theirs["outcome"] == "refused")[mine["outcome"] == "refused"].all(), name
            continue
        refused += int((mine["outcome"] == "refused").sum())
        for column in ("outcome", "refused_by", "binding"):
            assert (mine[column].astype(str) == theirs[column]).all(), (name, column)
        for column in COSTS:
            assert np.allclose(mine[column].to_numpy(np.float64), theirs[column].to_numpy(), rtol=1e-9, equal_nan=True), (name, column)
    assert refused > 100


def test_the_forecast_holds_a_real_run_of_every_method(tight: Runs) -> None:
    found = tight[0].summary["forecast"]
    missing, outside = [], []
    for name in NAMES:
        for quantity in QUANTITIES:
            line = found[name]["all"].get(quantity, {})
            if "measured" not in line:
                missing.append((name, quantity))
            elif not line["inside"]:
                outside.append((name, quantity, line))
    # Sessions have no value where nobody was served, nor a new version where a method has not learnt yet.
    sessions = {q for q in QUANTITIES if q.startswith(("per_session", "per_version", "first_contact"))} | {
        "p50_total_s",
        "assumed_share",
        "tail_share",
    }
    assert {quantity for _, quantity in missing} <= sessions and len({name for name, _ in missing}) <= 2, missing
    assert not outside, "\n".join(map(str, outside))
