"""A Flower app's run told again: on the same phones it is the same ledger, on others the one that the app would have had."""

from __future__ import annotations

import json

import pytest

from chordsim.cli import main
from chordsim.errors import ScenarioError, UserError
from chordsim.flower import PhoneCost, PhoneGrid
from chordsim.flower.again import forecast, recosted
from chordsim.flower.engines import PhonesInProcess
from chordsim.ledger.digest import rows_digest
from chordsim.ledger.parquet import iter_rows, read_ledger
from chordsim.recost.again import recost
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
    with pytest.raises(ScenarioError, match="cannot change methods"):
        recost(cut, ['methods=["fp32"]'])


def test_a_first_round_forecasts_the_others(apps, tmp_path):
    out = run(apps, tmp_path / "run", load("weak-links", ["clock.loss=0"]))
    made = json.loads((out / "summary.json").read_text())["methods"]["flower:app"]
    found = forecast(out, rounds=2)["flower:app"]
    assert found["down_bytes_per_device"] == made["down_bytes_per_device"] and found["device_rounds"] == made["device_rounds"]
    assert forecast(out, rounds=5)["flower:app"]["device_rounds"] == 200
    with pytest.raises(UserError, match=r"no trips\.parquet"):
        forecast(tmp_path)


def test_the_commands_forecast_and_recost_an_apps_run(apps, tmp_path, capsys):
    out = run(apps, tmp_path / "run", load("weak-links", ["clock.loss=0"]))

    def called(*arguments):
        code = main([str(a) for a in arguments])
        told = capsys.readouterr()
        return code, told.out + told.err

    code, text = called("forecast", out, "--rounds", "7", "--set", 'population.era="2025"', "--json", tmp_path / "told.json")
    assert code == 0 and "flower:app" in text and "280" in text
    of_python = forecast(out, ['population.era="2025"'], rounds=7)
    assert json.loads((tmp_path / "told.json").read_text()) == json.loads(json.dumps(of_python))
    code, text = called("recost", out, "--set", 'population.era="2025"', "--set", "clock.deadline_s=2")
    assert code == 0 and "changed: clock.deadline_s" in text
    for arguments in ((out, "--by", "country"), (out, "--csv", tmp_path / "sheet.csv"), ("quickstart", "--rounds", "3"), (tmp_path,)):
        code, text = called("forecast", *arguments)
        assert code == 2 and text.count("\n") == 1
