"""The buffered strategy: who is used is who the clock brings first, staleness stands in the ledger, all bytes in some row."""

from __future__ import annotations

import csv
import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from flwr.app import Array, ArrayRecord, ConfigRecord, MetricRecord, RecordDict

from chordsim.errors import UserError
from chordsim.flower import Buffered, PhoneCost, PhoneGrid
from chordsim.flower.again import forecast
from chordsim.flower.carried import Answer
from chordsim.flower.engines import PhonesInProcess
from chordsim.ledger.parquet import read_ledger
from chordsim.scenario.load import load

COST = PhoneCost(macs_per_example=10**9)


def play(apps, out, strategy, scenario, versions=4, nodes=20, cost=COST, **kwargs):
    with PhoneGrid(PhonesInProcess(apps.app, nodes), scenario, out, cost=cost) as grid:
        arrays = ArrayRecord(apps.model().state_dict())
        return strategy.start(grid, arrays, versions, train_config=ConfigRecord({"lr": 0.1}), **kwargs)


def test_everybodys_fresh_updates_are_fedavg(apps, ideal, tmp_path):
    made = play(apps, tmp_path / "buffered", Buffered(buffer=6), ideal, versions=1, nodes=6, cost=None)
    with PhoneGrid(PhonesInProcess(apps.app, 6), ideal, tmp_path / "sync") as grid:
        average = apps.play(grid, rounds=1)
    got = made.arrays.to_torch_state_dict()
    assert all(torch.allclose(got[name], average[name], atol=1e-6) for name in average)


def test_versions_are_rounds_and_staleness_is_in_the_ledger(apps, tmp_path):
    weak = load("weak-links", ["clock.loss=0.1"])
    seen = []

    def evaluate(version, arrays):
        seen.append(version)
        return MetricRecord({"version": float(version)})

    play(apps, tmp_path / "run", Buffered(buffer=5, concurrency=12), weak, versions=6, evaluate_fn=evaluate)
    ledger = read_ledger(tmp_path / "run")
    used = ledger[ledger["outcome"] == "served"]
    assert (used.groupby("round").size() == 5).all() and sorted(set(ledger["round"])) == [1, 2, 3, 4, 5, 6]
    ages = used["plan_age_rounds"].astype(int)
    assert ages.max() >= 1 and (ages <= used["round"] - 1).all() and (ages[used["round"] == 1] == 0).all()
    assert ledger.loc[ledger["outcome"] != "served", "plan_age_rounds"].isna().all()
    lines = list(csv.DictReader((tmp_path / "run" / "rounds.csv").open()))
    assert [line["metric_version"] for line in lines] == [f"{n}.0" for n in range(1, 7)] and seen == list(range(7))
    told = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert told["mode"] == "buffered" and told["ledger_sha256"]
    with pytest.raises(UserError, match="buffered"):
        forecast(tmp_path / "run")


def test_the_first_version_is_of_the_fastest_whatever_the_threads(apps, ideal, tmp_path):
    for place in ("a", "b"):
        play(apps, tmp_path / place, Buffered(buffer=5), ideal, versions=3)
    a, b = (json.loads((tmp_path / place / "manifest.json").read_text())["ledger_sha256"] for place in "ab")
    assert a == b
    ledger = read_ledger(tmp_path / "a")
    first = ledger[(ledger["round"] == 1)]
    later = ledger[(ledger["round"] == 2) & (ledger["plan_age_rounds"] == 1)]
    assert first["total_s"].max() <= later["total_s"].min()


def test_old_updates_count_less_and_the_oldest_nothing(apps, ideal, tmp_path):
    strategy = Buffered(exponent=0.5)
    assert strategy.counts(0, Answer(examples=8.0)) == 8.0 and np.isclose(strategy.counts(3, Answer(examples=8.0)), 4.0)
    play(apps, tmp_path / "run", Buffered(buffer=5, most_stale=0), ideal, versions=3)
    ledger = read_ledger(tmp_path / "run")
    assert (ledger["outcome"] == "late").any() and ledger["plan_age_rounds"].max() == 0
    with pytest.raises(UserError, match="at least 1"):
        Buffered(buffer=0)


def test_when_nobody_is_free_versions_pass_and_the_clock_goes_on(apps, tmp_path):
    play(apps, tmp_path / "day", Buffered(buffer=4), load("one-day-around-the-world"), versions=4, nodes=12)
    ledger = read_ledger(tmp_path / "day")
    assert (ledger["outcome"] == "offline").any() and json.loads((tmp_path / "day" / "manifest.json").read_text())["status"] == "complete"


def answered(values):
    content = RecordDict({"arrays": ArrayRecord({name: Array(value) for name, value in values.items()})})
    return Answer(SimpleNamespace(content=content), examples=1.0)


@pytest.mark.parametrize(
    "sent",
    [np.array(["a", "b"]), np.zeros(2, "datetime64[s]"), np.zeros(2, "V2"), np.zeros(2, [("a", "f4")]), np.ones(2, np.complex64)],
    ids=["texts", "dates", "raw bytes", "records", "complex"],
)
def test_arrays_that_hold_no_real_numbers_are_no_update(sent):
    weights = {"w": np.zeros(2, np.float32)}
    assert Buffered().usable(answered({"w": np.ones(2, np.int8)}), weights)
    assert not Buffered().usable(answered({"w": sent}), weights)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int64", "bool"])
def test_means_of_whole_numbers_are_rounded_and_keep_their_type(dtype):
    weights = {"w": np.array([1, 1, 0, 0], dtype)}
    replies = [np.array(row, dtype) for row in ([1, 1, 1, 0], [1, 1, 1, 0], [1, 0, 0, 1])]
    moved = Buffered().moved(weights, [(weights, answered({"w": row}), 1.0) for row in replies])["w"]
    assert moved.dtype == dtype and moved.tolist() == [1, 1, 1, 0]
