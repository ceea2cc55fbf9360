"""A recosted run is the run that would have been, as far as it can be told; what cannot be told is counted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import chordsim
from chordsim.api import RunResult
from chordsim.cli.commands import app
from chordsim.errors import ScenarioError, UserError
from chordsim.recost.again import Recosted, recost
from chordsim.recost.printed import recost_table
from tests.plenty import PLENTY

SMALL = [
    'methods=["fp32","chord-plus","cloud-only"]',
    "data.synthetic.users=90",
    "data.synthetic.items=80",
    "training.max_steps=4",
    "training.eval_every=4",
    "rounds.count=3",
    "engine.chunk_size=32",
]
#: More than some plans take, so that not every plan is bound by its cap.
WIDE = "settings.chord-plus.bits=6"


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    return chordsim.run("offline", overrides=[*SMALL, WIDE], out=tmp_path_factory.mktemp("calm") / "run")


@pytest.mark.parametrize(
    "weather",
    [
        ["clock.loss=0.2", "clock.deadline_s=0.35"],
        ['population.availability.kind="diurnal"', "clock.round_every_h=7", "rounds.new_model_every=2"],
        ["rounds.requests_per_round=400", "clock.jitter=0.5"],
    ],
)
def test_it_is_the_run_that_would_have_been(calm: RunResult, tmp_path: Path, weather: list[str]) -> None:
    """The independent reference: really run the scenario with the override."""
    real = chordsim.run("offline", overrides=[*SMALL, WIDE, *weather], out=tmp_path / "real").summary["methods"]
    found = recost(calm.path, weather)
    for method, wanted in real.items():
        made = found.after[method]
        for name in ("outcomes", "served_by", "wasted_bytes"):
            assert made[name] == wanted[name], (method, name)
        for name in ("down_bytes_per_device", "up_bytes_per_device", "p50_total_s", "p95_total_s", "joules_per_device"):
            assert made[name] == pytest.approx(wanted[name], rel=1e-3), (method, name)
        if not any(found.unknown[method].values()):
            assert made["ndcg_10_all"]["mean"] == pytest.approx(wanted["ndcg_10_all"]["mean"])


def test_new_versions_of_a_method_that_learns_are_paid_again(tmp_path: Path) -> None:
    base, weather = [*SMALL, *PLENTY, 'methods=["fedavg","cda4rec"]'], ["clock.loss=0.2"]
    calm = chordsim.run("offline", overrides=base, out=tmp_path / "calm", report=False)
    real = chordsim.run("offline", overrides=[*base, *weather], out=tmp_path / "real", report=False).summary["methods"]
    found = recost(calm.path, weather).after
    for method, wanted in real.items():
        for name in ("outcomes", "wasted_bytes", "bootstrap_bytes_again"):
            assert found[method][name] == wanted[name], (method, name)
        for name in ("down_bytes_per_device", "up_bytes_per_device", "p50_total_s", "joules_per_device"):
            assert found[method][name] == pytest.approx(wanted[name], rel=1e-3), (method, name)
    assert real["fedavg"]["bootstrap_bytes_again"] > 0


def test_a_model_that_learning_left_as_it_was_is_not_paid_again(tmp_path: Path) -> None:
    still = ['methods=["fedavg"]', "settings.fedavg.rate=0.0", "data.synthetic.users=16", "training.max_steps=0", "rounds.count=2"]
    calm = chordsim.run("offline", overrides=[*SMALL, *PLENTY, *still], out=tmp_path / "calm", report=False)
    found = recost(calm.path, ["clock.start_h=1"])
    before, after = found.before["fedavg"], found.after["fedavg"]
    assert before["served_share"] == 1.0 and before["bootstrap_bytes_again"] == 0
    assert all(line["inside"] for line in calm.summary["forecast"]["fedavg"]["all"].values() if "measured" in line)
    for name in ("bootstrap_bytes_again", "down_bytes_per_device", "joules_per_device", "p50_total_s"):
        assert after[name] == pytest.approx(before[name]), name


def test_ranks_stay_what_they_were_where_everybody_is_served_alike(calm: RunResult) -> None:
    found = recost(calm.path, ["clock.jitter=0.5"])
    for method, shares in found.unknown.items():
        assert not any(shares.values())
        for name in ("ndcg_10", "binding", "bits_mean"):
            assert found.after[method][name] == found.before[method][name], (method, name)
    assert found.before["fp32"]["served_share"] == calm.summary["methods"]["fp32"]["served_share"]


def test_other_budgets_mean_other_plans_and_they_are_counted(calm: RunResult) -> None:
    tight = [f"population.tiers.{tier}.bits=1" for tier in ("low", "mid", "high")]
    unknown = recost(calm.path, tight).unknown
    assert unknown["chord-plus"]["another plan"] > 0.9 and not any(unknown["cloud-only"].values())
    roomy = [f"population.tiers.{tier}.memory_mb=999" for tier in ("low", "mid", "high")]
    found = recost(calm.path, roomy)
    assert found.after["fp32"]["served_share"] > found.before["fp32"]["served_share"]
    assert found.unknown["fp32"]["not served then"] > 0.1


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["rounds.count=2"], ["rounds.count", "run the scenario anew"]),
        (["population.devices=50"], ["population.devices"]),
        (["seed=3"], ["seed"]),
        ([], ["nothing differs"]),
    ],
)
def test_what_cannot_be_recosted_at_all_is_said(calm: RunResult, overrides: list[str], words: list[str]) -> None:
    with pytest.raises(ScenarioError) as caught:
        recost(calm.path, overrides)
    assert all(word in str(caught.value) for word in words) and "\n" not in str(caught.value)


def test_a_deadline_that_a_run_refuses_is_refused_in_the_same_words(calm: RunResult, tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="shorter than the fastest phone's round") as here:
        recost(calm.path, ["clock.deadline_s=1e-6"])
    with pytest.raises(ScenarioError) as there:
        chordsim.run("offline", overrides=[*SMALL, "clock.deadline_s=1e-6"], out=tmp_path / "run")
    assert str(here.value) == str(there.value)


def test_a_folder_that_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not a run directory"):
        recost(tmp_path, ["clock.loss=0.1"])


def test_the_table_tells_how_rounds_ended_that_served_nobody() -> None:
    def side(**outcomes: int) -> dict[str, Any]:
        counts = {"served": 0, "refused": 0, "late": 0, "dropped": 0, "offline": 0, "failed": 0, **outcomes}
        return {"fp32": {"outcomes": counts, "served_share": counts["served"] / 10, "ndcg_10_all": {"mean": None}}}

    table = recost_table(Recosted({}, {}, side(served=9, dropped=1), side(served=6, late=3, dropped=1), {}))
    told = dict(zip([*table.names, *table.heads], table.rows[0], strict=True))
    assert told["served\n%"] == "90.0 > 60.0" and told["late\n%"] == "0.0 > 30.0" and told["dropped\n%"] == "10.0 > 10.0"
    assert "refused\n%" not in told and "offline\n%" not in told


def test_the_commands_print_their_tables(calm: RunResult, tmp_path: Path) -> None:
    runner = CliRunner()
    out = runner.invoke(app, ["recost", str(calm.path), "--set", 'population.era="2025"', "--json", str(tmp_path / "r.json")])
    assert out.exit_code == 0 and "before > after" in out.output and "cannot be recosted" in out.output and (tmp_path / "r.json").exists()
    sets = [part for text in SMALL for part in ("--set", text)]
    out = runner.invoke(app, ["forecast", "offline", *sets, "--json", str(tmp_path / "f.json")])
    assert out.exit_code == 0 and "nine runs of ten" in out.output and "chord-plus" in out.output and (tmp_path / "f.json").exists()
