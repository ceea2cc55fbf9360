"""Phones of one's own: files of one or two models play, further columns are kept to group by, and what is not read is named."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from chordsim.cli import main
from chordsim.config.model import PopulationConfig
from chordsim.errors import ChordsimError, DataError, ScenarioError, UserError
from chordsim.forecast.predict import forecast
from chordsim.population.generate import Population
from chordsim.scenario.load import load, parse
from chordsim.scenario.text import dump
from chordsim.sized import sized_world

HEADER = "ram_gb,gmacs_per_s,down_mbps,up_mbps,round_trip_ms,nj_per_mac,radio_w"
OLD, MID, NEW = "1,1,2,1,90,1,1", "4,3,15,5,60,0.6,1", "8,9,50,20,30,0.3,1"


def written(folder: Path, *lines: str) -> Path:
    path = folder / "mine.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def population(path: Path, *overrides: str) -> Population:
    config = load("offline", [f'population.csv="{path}"', *overrides]).population
    return Population(config, 1, 500, 1_000_000)


def test_two_models_make_one_tier(case: Callable[[str], Path]) -> None:
    phones = population(case("pop_ok.csv"), "population.spread=0.0")
    assert list(phones.config.tiers) == ["own"] and phones.config.tiers["own"].share == 1
    drawn = phones.profiles(np.arange(500))
    assert set(drawn.ram_bytes) == {4 * 10**9, 8 * 10**9} and set(drawn.macs_per_s) == {2.5e9, 5e9}
    direct = Population(PopulationConfig.model_validate({"csv": str(case("pop_ok.csv"))}), 1, 500, 1_000_000)
    assert set(direct.profiles(np.arange(500)).tier) < {0, 1, 2}, "a population made by hand keeps an era's tiers, some of them empty"


def test_three_models_make_the_tiers_of_an_era_as_before(tmp_path: Path) -> None:
    phones = population(written(tmp_path, HEADER, OLD, MID, NEW))
    assert list(phones.config.tiers) == ["low", "mid", "high"]
    assert [tier.bits for tier in phones.config.tiers.values()] == [2, 4, 8]


def test_named_tiers_come_from_the_file_the_slowest_first(tmp_path: Path) -> None:
    path = written(tmp_path, HEADER + ",tier,weight", NEW + ",flagship,1", OLD + ",budget,2", MID + ",low,1")
    tiers = population(path).config.tiers
    assert list(tiers) == ["budget", "low", "flagship"]
    assert [tier.share for tier in tiers.values()] == pytest.approx([0.5, 0.25, 0.25])
    assert [tier.bits for tier in tiers.values()] == [4, 2, 4], "a name that an era has keeps its budgets, others are as its middle"
    changed = population(path, "population.tiers.flagship.bits=8", "population.tiers.flagship.memory_mb=3").config.tiers
    assert changed["flagship"].bits == 8 and changed["flagship"].memory_share is None and changed["budget"] == tiers["budget"]


def test_the_resolved_scenario_holds_the_tiers_and_needs_no_second_look(tmp_path: Path) -> None:
    path = written(tmp_path, HEADER, OLD)
    resolved = load("offline", [f'population.csv="{path}"'])
    path.unlink()
    assert parse(dump(resolved)) == resolved
    with pytest.raises(DataError, match="mine.csv: no such file"):
        load("offline", [f'population.csv="{path}"'])


def test_stated_tiers_that_nobody_falls_into_are_refused_with_the_way_out(tmp_path: Path) -> None:
    tiers = [f"population.tiers.{name}.{key}" for name in "ab" for key in ("share=0.5", "memory_mb=1")]
    with pytest.raises(
        ScenarioError, match="population.tiers.[ab]: no phone of .*mine.csv falls into this tier: leave population.tiers out"
    ):
        population(written(tmp_path, HEADER, OLD), *tiers)


@pytest.mark.parametrize(
    ("tier", "given", "says"),
    [
        ("a b", (), "mine.csv: line 4: tier 'a b' is no name: use letters"),
        ("top", ("population.tiers.low.share=1", "population.tiers.low.memory_mb=1"), "mine.csv: line 4: tier 'top' is not one of"),
    ],
)
def test_a_tier_that_cannot_be_is_named_with_its_line(tmp_path: Path, tier: str, given: tuple[str, ...], says: str) -> None:
    path = written(tmp_path, HEADER + ",tier", OLD + ",low", "", NEW + f",{tier}", MID + ",low")
    with pytest.raises(ChordsimError, match=says):
        population(path, *given)


def test_a_column_that_stands_twice_is_refused(case: Callable[[str], Path]) -> None:
    with pytest.raises(DataError, match="pop_dup.csv: line 1: two columns are named 'ram_gb'"):
        population(case("pop_dup.csv"))


def further(folder: Path) -> Path:
    return written(
        folder, f"{HEADER},weight,country,model,,wieght,device_id", f"{OLD},3,IN,A1,x,1,7", f"{NEW},1,DE,B2,y,2,8", f"{MID},1,IN,C3,z,2,9"
    )


def test_further_columns_are_kept_and_what_is_not_read_is_named(tmp_path: Path) -> None:
    phones = population(further(tmp_path), "population.spread=0.0")
    assert phones.columns == ("tier", "country", "model", "wieght")
    assert phones.notes == (
        "mine.csv: kept to group phones by: country, model, wieght",
        "mine.csv: column 'wieght' is kept as a label; is 'weight' meant?",
        "mine.csv: not read: a column without a name, device_id",
    )
    ids = np.arange(5000)
    words, drawn = phones.words(ids), phones.profiles(ids)
    assert np.array_equal(words["model"] == "A1", drawn.ram_bytes == 10**9)
    assert np.array_equal(words["country"] == "DE", words["model"] == "B2")
    assert np.mean(words["country"] == "IN") == pytest.approx(0.8, abs=0.02)
    some = np.array([77, 4000, 3])
    assert np.array_equal(phones.words(some)["model"], words["model"][some]), "a phone's label is its own, in any company"


def test_a_forecast_by_a_column_tells_who_is_left_out(tmp_path: Path) -> None:
    one = ["population.tiers.old.memory_mb=0.01", "population.tiers.old.share=0.5", "population.tiers.new.memory_mb=9"]
    path = written(tmp_path, HEADER + ",tier,model", OLD + ",old,all", NEW + ",new,Z 9")
    sets = [f'population.csv="{path}"', *one, "population.tiers.new.share=0.5", 'methods=["fp32"]', "protocol.metrics=none"]
    world = sized_world(load("offline", sets))
    by_model, by_tier = forecast(world, "model")["fp32"], forecast(world)["fp32"]
    assert list(by_model) == ["all", "Z 9", "all (model)"], "no group is taken for the line over all"
    assert by_model["all (model)"] == by_tier["old"] and by_model["Z 9"] == by_tier["new"] and by_model["all"] == by_tier["all"]
    assert by_model["all (model)"]["served_share"].high == 0 and by_model["Z 9"]["served_share"].middle == 1
    with pytest.raises(UserError, match="no column 'nation' to group phones by: phones have tier, model"):
        forecast(world, "nation")


def test_the_sheet_has_a_line_per_method_and_group(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sheet = tmp_path / "sheet.csv"
    rare = f"{MID},0.00012,SM,D4,z,2,9"
    path = further(tmp_path)
    path.write_text(path.read_text() + rare + "\n")
    sets = [f"population.csv={path}", 'methods=["fp32", "uniform-2"]', "population.devices=1000000", "population.selected=1000"]
    sets += ["population.tiers.low.memory_mb=0.01", "protocol.metrics=none"]
    arguments = [part for text in sets for part in ("--set", text)]
    assert main(["forecast", "offline", *arguments, "--by", "country", "--csv", str(sheet)]) == 0
    out = capsys.readouterr().out
    assert "kept to group phones by: country, model" in out and "country" in out and "groups are too rare" in out
    table = pd.read_csv(sheet, keep_default_na=False, na_values=[""]).set_index(["method", "country"])
    assert [name for method, name in table.index if method == "fp32"] == ["all", "DE", "IN", "SM"]
    left = table.loc["fp32"]
    assert left.loc["all", "phones"] == 1_000_000 and left.loc["DE", "left_out_phones"] == 0
    assert left.loc["IN", "left_out_phones"] == pytest.approx(left.loc["IN", "phones"] * left.loc["IN", "refused_share"], rel=1e-3) != 0
    assert np.isnan(left.loc["SM", "served_share"]) and left.loc["SM", "phones"] > 0
    shares = table[[name for name in table if "_share" in name]].to_numpy(float)
    assert np.nanmin(shares) >= 0 and np.nanmax(shares) <= 1


def test_population_by_a_column(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    listing = tmp_path / "phones.csv"
    assert main(["population", "offline", "--set", f"population.csv={further(tmp_path)}", "--by", "model", "--csv", str(listing)]) == 0
    out = capsys.readouterr().out
    assert "not read: a column without a name, device_id" in out and all(f"\n{name} " in out for name in ("A1", "B2", "C3"))
    assert set(pd.read_csv(listing)["country"]) == {"IN", "DE"}
    assert main(["population", "offline", "--by", "model"]) == 2
    assert "further columns come with population.csv" in capsys.readouterr().err


@pytest.mark.parametrize("key", ["csv", "availability.trace"])
def test_what_has_no_end_is_not_read(tmp_path: Path, key: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, kind in ((tmp_path / "pipe", "a pipe"), (Path("/dev/zero"), "a device"), (tmp_path, "a folder")):
        extra = ["population.availability.kind=trace"] if key != "csv" else []
        with pytest.raises(DataError, match=f"not a file, but {kind}"):
            Population(load("offline", [f'population.{key}="{path}"', *extra]).population, 1, 5, 1)
