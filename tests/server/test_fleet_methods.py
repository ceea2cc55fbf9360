"""Every shipped method: a run in sizes charges the bytes that the real run charges, new versions of learning methods included."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import chordsim
from chordsim import methods
from chordsim.fleet import fleet_of
from chordsim.ledger.columns import PER_ROW
from chordsim.scenario.load import load
from server.fleet import bootstraps, play_sizes, sized

NAMES = tuple(sorted(name.replace("-k", "-2") for name, path in methods.known().items() if path.startswith("chordsim.")))
#: What these send depends on the user; the closed form is the most that they send.
BY_USER = {"cda4rec": ("candidates_bytes", "prescription_bytes"), "forward-ofa": ("prescription_bytes",)}
#: How many rows of each width this one ships depends on the trained weights, within a plan of fixed mean bits.
BY_WEIGHTS = {"static-mixed": "bootstrap_bytes"}
BYTES = [c.name for c in PER_ROW if c.name.endswith("_bytes") and c.name not in ("model_bytes", "peak_memory_bytes")]
PARTS = ("candidates", "prescription", "profile", "update", "report", "framing_down", "framing_up")
WHOLE = [f"{part}_bytes" for part in PARTS]
PLENTY = [f"population.tiers.{tier}.{key}" for tier in ("low", "mid", "high") for key in ("memory_mb=99", "latency_ms=1e6")]


def both(overrides: list[str], out: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the ledger of the real run and of the run in sizes, by method, round and device."""
    real = chordsim.run("offline", overrides=overrides, out=out, report=False).ledger
    fleet = fleet_of(load("offline", overrides))
    told = []
    for method in sized(fleet, bootstraps(fleet)):
        for round in range(1, fleet.scenario.rounds.count + 1):
            for rows, _ in play_sizes(method, fleet, round, fleet.population.select(round)):
                words = {name: rows.texts(name) for name in ("outcome", "refused_by", "binding")}
                numbers = {c.name: rows.floats(c.name) for c in PER_ROW if c.name not in rows.words}
                told.append(pd.DataFrame({**numbers, **words, "method": method.spec.name, "round": round}))
    key = ["method", "round", "device_id"]
    whole = pd.concat(told).astype({"device_id": "int64"})
    return real.astype({"method": str}).set_index(key).sort_index(), whole.set_index(key).sort_index()


@pytest.mark.parametrize("renewed", [0, 2])
def test_bytes_in_sizes_are_those_of_the_real_run(renewed: int, tiny: Callable[..., list[str]], tmp_path: Path) -> None:
    weather = ("rounds.count=4", "clock.loss=0.15", 'population.availability.kind="diurnal"', "clock.round_every_h=5")
    real, told = both(tiny(*PLENTY, *weather, f"rounds.new_model_every={renewed}", methods=NAMES), tmp_path / "run")
    assert (real.index == told.index).all() and (real["outcome"] == told["outcome"]).all()
    for name in NAMES:
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
    for name in ("fedavg", "dccl"):
        boots = real.loc[name]["bootstrap_bytes"]
        assert 0 < boots.loc[2][boots.loc[2] > 0].min() < boots.loc[1].max(), "a phone downloads what changed, and no more"
