"""Buffered rounds: the clock says whose update makes which version; one ledger over engines and resume; nothing is used twice."""

from __future__ import annotations

import numpy as np
import pytest

from chordsim.api import run
from chordsim.cli import main
from chordsim.errors import ScenarioError
from chordsim.scenario.load import load
from tests.cut_off import Cut, CutAfter
from tests.plenty import PLENTY

BUFFERED = ('rounds.mode="buffered"', "rounds.buffer=12", "rounds.count=5", "clock.loss=0.1")


@pytest.fixture
def scenario(tiny):
    def made(*more):
        return tiny(*PLENTY, *BUFFERED, *more, methods=("fedavg",))

    return made


def played(overrides, out, **kwargs):
    return run("offline", overrides=overrides, out=out, report=False, **kwargs)


def test_a_version_is_of_the_first_updates_and_says_how_old_they_are(scenario, tmp_path):
    ledger = played(scenario(), tmp_path / "run").ledger
    used = ledger[ledger["outcome"] == "served"]
    assert used.groupby("round").size().tolist() == [12] * 5
    assert not ledger.duplicated(["round", "device_id"]).any()
    ages = used["plan_age_rounds"].astype(int)
    assert ages.max() >= 1 and (ages < used["round"]).all() and ledger.loc[ledger["outcome"] != "served", "plan_age_rounds"].isna().all()
    # No look-ahead: of those who began with version 1, who was used first was there first.
    first = used[used["round"] == 1]["total_s"].max()
    assert used[(used["round"] - ages == 1) & (ages > 0)]["total_s"].min() >= first
    # Whom nobody waited for cost what it cost.
    late = ledger[ledger["outcome"] == "late"]
    assert set(late["round"]) == {5} and (late["wasted_bytes"] == late["down_bytes"] + late["up_bytes"]).all() and late["rank"].isna().all()


@pytest.mark.parametrize("mode", ["buffered", "synchronous"])
def test_one_ledger_whatever_carries_it_and_after_a_cut(scenario, tiny, tmp_path, mode):
    options = ('settings.fedavg.strategy="FedAdam"', "settings.fedavg.strategy_options.eta=0.01")
    if mode == "synchronous":

        def scenario(*more):
            return tiny(*PLENTY, "rounds.count=5", "clock.loss=0.1", *more, methods=("fedavg",))

    whole = played(scenario("engine.workers=1", *options), tmp_path / "whole")
    split = played(scenario("engine.workers=2", "engine.cells=3", *options), tmp_path / "split")
    with pytest.raises(Cut):
        played(scenario("engine.workers=1", *options), tmp_path / "cut", progress=CutAfter(3))
    resumed = run(resume=tmp_path / "cut")
    assert whole.manifest["ledger_sha256"] and whole.manifest["status"] == "complete"
    for other in (split, resumed):
        assert other.manifest["ledger_sha256"] == whole.manifest["ledger_sha256"]


def test_metapatches_of_dccl_are_buffered_too(tiny, tmp_path):
    sent = [tiny(*PLENTY, *BUFFERED, f"rounds.staleness={power}", methods=("dccl",)) for power in ("0.5", "20.0")]
    a, b = (played(overrides, tmp_path / str(n)) for n, overrides in enumerate(sent))
    used = a.ledger[a.ledger["outcome"] == "served"]
    assert used.groupby("round").size().tolist() == [12] * 5 and used["plan_age_rounds"].max() >= 1
    assert a.manifest["ledger_sha256"] and b.manifest["ledger_sha256"]


def test_phones_whose_catalogue_stays_in_the_cloud_keep_their_rows(tiny, tmp_path):
    cached = ('backbone.items="cached"', "backbone.cache_rows=64", 'protocol.ranking="candidates"', "protocol.candidates=10")
    run = played(tiny(*PLENTY, *BUFFERED, *cached, methods=("fedavg",)), tmp_path / "run")
    used = run.ledger[run.ledger["outcome"] == "served"]
    assert run.manifest["ledger_sha256"] and (used["cached_rows"] > 0).all() and (used["asks_bytes"] > 0).all()
    again = used[used.duplicated("device_id")]
    assert len(again) and again["rows_bytes"].mean() < used[~used.duplicated("device_id")]["rows_bytes"].mean()


def test_old_updates_move_the_model_less(scenario, tmp_path):
    fast = ("settings.fedavg.rate=1.0", "settings.fedavg.steps=5")
    a, b = (played(scenario(f"rounds.staleness={power}", *fast), tmp_path / power).ledger for power in ("0.0", "20.0"))
    mixed = a[a["outcome"] == "served"].groupby("round")["plan_age_rounds"].nunique()
    assert (mixed > 1).any(), "no version holds updates of two ages: nothing is weighed"
    # Weights change no byte and no second, only what later models rank.
    assert a["rank"].tolist() != b["rank"].tolist() and a["total_s"].tolist() == b["total_s"].tolist()


@pytest.mark.slow
def test_ray_gives_the_same_ledger(scenario, tmp_path):
    one = played(scenario(), tmp_path / "one")
    ray = played(scenario(), tmp_path / "ray", engine="ray", workers=2)
    assert one.manifest["ledger_sha256"] == ray.manifest["ledger_sha256"]


def test_a_buffer_of_everybody_is_the_synchronous_round(tiny, tmp_path):
    calm = ("clock.loss=0", "rounds.count=2")
    sync = played(tiny(*PLENTY, *calm, methods=("fedavg",)), tmp_path / "sync").ledger
    most = played(tiny(*PLENTY, *calm, 'rounds.mode="buffered"', "rounds.buffer=100000", methods=("fedavg",)), tmp_path / "all").ledger
    for name in ("device_id", "outcome", "down_bytes", "up_bytes", "total_s"):
        assert sync[name].tolist() == most[name].tolist()
    # The second round ranks with what the first one taught.
    assert np.allclose(sync["rank"], most["rank"], atol=1) and (most["plan_age_rounds"] == 0).all()


def test_what_cannot_be_buffered_is_refused(tmp_path, scenario, tiny):
    for method in ("fp32", "chord-plus", "finetune"):
        with pytest.raises(ScenarioError, match=f"'{method}' learns nothing"):
            load("offline", [f'methods=["{method}"]', 'rounds.mode="buffered"'])
    for override, words in (
        ("clock.quantile=0.5", "clock.quantile closes"),
        ('protocol.metrics="none"', "leave protocol.metrics out"),
    ):
        with pytest.raises(ScenarioError, match=words):
            load("offline", ['methods=["fedavg"]', 'rounds.mode="buffered"', override])
    with pytest.raises(ScenarioError, match=r"rounds\.buffer goes with"):
        load("offline", ["rounds.buffer=3"])


def test_nobody_tells_a_buffered_run_on_other_phones(scenario, tmp_path, capsys):
    played(scenario("rounds.count=1"), tmp_path / "run")
    assert main(["recost", str(tmp_path / "run"), "--set", "clock.deadline_s=9"]) == 2
    assert main(["forecast", str(tmp_path / "run" / "scenario.toml")]) == 2
    assert capsys.readouterr().err.count("\n") == 2
