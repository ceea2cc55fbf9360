"""A Flower app's run told again: on the same phones it is the same ledger, on others the one that the app would have had."""

from __future__ import annotations

import json

import pytest

from chordsim.cli import main
from chordsim.compare.apps import grid
from chordsim.compare.compare import compare
from chordsim.errors import ScenarioError, UserError
from chordsim.flower import PhoneCost, PhoneGrid
from chordsim.flower.again import forecast, recosted
from chordsim.flower.engines import PhonesInProcess
from chordsim.ledger.digest import rows_digest
from chordsim.ledger.parquet import iter_rows, read_ledger
from chordsim.recost.again import recost
from chordsim.report.gather import gather
from chordsim.scenario.load import load


def run(apps, out, scenario, cost=None, rounds=2):
    with PhoneGrid(PhonesInProcess(apps.app, 40), scenario, out, cost=cost) as grid:
        apps.play(grid, rounds)
    return out


@pytest.mark.parametrize("cost", [None, PhoneCost(macs_per_example=10**7, peak_bytes=1_500_000)])
def test_the_same_phones_give_the_same_rows(apps, tmp_path, cost):
    out = run(apps, tmp_path / "run", load("weak-links", ["clock.quantile=0.9"]), cost)
    (told,) = recosted(out, load(out / "scenario.toml")).values()
    assert told.guessed == 0
    assert [rows_digest(rows) for rows in told.rows] == [rows_digest(rows) for rows in iter_rows(out)]


def test_other_phones_are_those_of_a_run_on_them(apps, tmp_path):
    ideal = run(apps, tmp_path / "ideal", load("weak-links", ["clock.loss=0"]))
    found = recost(ideal, ['population.era="2025"'])
    (told,) = recosted(ideal, load(ideal / "scenario.toml", ['population.era="2025"'])).values()
    other = run(apps, tmp_path / "other", load("weak-links", ["clock.loss=0", 'population.era="2025"']))
    whole = read_ledger(other)
    for rows, (_, part) in zip(told.rows, whole.groupby("round"), strict=True):
        assert rows["total_s"].tolist() == part["total_s"].tolist() and rows["down_bytes"].tolist() == part["down_bytes"].tolist()
    assert found.changed == {"population.era": ("2010s", "2025")}
    assert found.after["flower:app"]["p50_total_s"] < found.before["flower:app"]["p50_total_s"]


def test_who_was_not_heard_is_counted(apps, tmp_path):
    cut = run(apps, tmp_path / "cut", load("weak-links"))
    (told,) = recosted(cut, load(cut / "scenario.toml", ["clock.loss=0"])).values()
    assert 0 < told.guessed < 1 and all((rows["outcome"] == 0).all() for rows in told.rows)


@pytest.mark.parametrize(
    ("override", "why"),
    [
        ('methods=["fp32"]', "methods: only population, clock and seed tell something of it"),
        ("rounds.requests_per_round=3", "rounds.requests_per_round: only population, clock and seed tell something of it"),
        ("rounds.count=9", "rounds.count: only population, clock and seed tell something of it"),
        ("population.selected=9", "population.selected: who is asked is its strategy's choice"),
    ],
)
def test_what_is_the_apps_own_is_refused_in_the_same_words(apps, tmp_path, override, why):
    out = run(apps, tmp_path / "run", load("weak-links"), rounds=1)
    for command, tell in (("recost", recost), ("forecast", forecast)):
        with pytest.raises(ScenarioError) as refused:
            tell(out, [override])
        assert str(refused.value) == f"{command} of a Flower app's run cannot change {why}"


def test_another_seed_draws_other_phones_for_an_apps_run(apps, tmp_path):
    out = run(apps, tmp_path / "run", load("weak-links", ["clock.loss=0"]))
    other = json.loads((run(apps, tmp_path / "other", load("weak-links", ["clock.loss=0"], seed=9)) / "summary.json").read_text())
    assert recost(out, ["seed=9"]).after["flower:app"]["p50_total_s"] == other["methods"]["flower:app"]["p50_total_s"]


def test_a_first_round_forecasts_the_others(apps, tmp_path):
    out = run(apps, tmp_path / "run", load("weak-links", ["clock.loss=0"]))
    made = json.loads((out / "summary.json").read_text())["methods"]["flower:app"]
    found = forecast(out, rounds=2)["flower:app"]
    assert found["down_bytes_per_device"] == made["down_bytes_per_device"] and found["device_rounds"] == made["device_rounds"]
    assert forecast(out, rounds=5)["flower:app"]["device_rounds"] == 200
    with pytest.raises(UserError, match=r"no trips\.parquet"):
        forecast(tmp_path)


def test_the_commands_forecast_and_recost_an_apps_run(apps, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    out = run(apps, tmp_path / "run", load("weak-links", ["clock.loss=0"]))

    def called(*arguments):
        code = main([str(a) for a in arguments])
        told = capsys.readouterr()
        return code, told.out + told.err

    code, text = called("forecast", out, "--rounds", "7", "--set", 'population.era="2025"', "--json", tmp_path / "told.json")
    assert code == 0 and "flower:app" in text and "280" in text
    assert (
        "assumed" in text
        and "on assumed constants" in text
        and "…" not in text
        and max(map(len, text.split("joules:")[0].splitlines())) <= 80
    )
    of_python = forecast(out, ['population.era="2025"'], rounds=7)
    assert json.loads((tmp_path / "told.json").read_text()) == json.loads(json.dumps(of_python))
    code, text = called("recost", out, "--set", 'population.era="2025"', "--set", "clock.deadline_s=2")
    assert code == 0 and "changed: clock.deadline_s" in text
    for arguments in ((out, "--by", "country"), (out, "--csv", tmp_path / "sheet.csv"), ("quickstart", "--rounds", "3"), (tmp_path,)):
        code, text = called("forecast", *arguments)
        assert code == 2 and text.count("\n") == 1


def test_the_watts_of_ones_own_phones_are_not_assumed(apps, tmp_path):
    """Summary, forecast, recost, page and compare say so alike: the tail alone is assumed."""
    phones = tmp_path / "mine.csv"
    phones.write_text("ram_gb,gmacs_per_s,down_mbps,up_mbps,round_trip_ms,nj_per_mac,radio_w\n4,3,15,5,60,0.6,1\n8,9,50,20,30,0.3,1\n")
    out = run(apps, tmp_path / "run", load("weak-links", ["clock.loss=0", f'population.csv="{phones}"']))
    made = json.loads((out / "summary.json").read_text())["methods"]["flower:app"]
    told = recost(out, ["clock.jitter=0.3"])
    for found in (made, forecast(out)["flower:app"], told.before["flower:app"], told.after["flower:app"]):
        assert 0 < found["energy"]["assumed_share"] == found["energy"]["tail_share"] < 1
        assert 0 < found["fleet"]["assumed_share"] < 1
    g = gather(out)
    assert g.methods["flower:app"].costs.energy(g.assumed) == pytest.approx(made["energy"])
    said = dict(zip([c.head for c in grid(compare([out, out])).columns], grid(compare([out, out])).rows[0], strict=True))
    assert said["assumed %"] == pytest.approx(100 * made["fleet"]["assumed_share"])
