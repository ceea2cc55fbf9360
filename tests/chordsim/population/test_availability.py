"""Phones are free as the trace's phones were, by habit and time zone; a user's trace is played as it stands or refused."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from chordsim.config.model import AvailabilityConfig
from chordsim.errors import DataError, ScenarioError
from chordsim.population.availability import TRACE_BEGINS_H, Always, Habit, Traced, availability_of
from chordsim.population.trace import read_trace
from chordsim.scenario.load import load

IDS = np.arange(60_000)
HOURS = np.arange(0, 24, 1.0)


def habit(zones: str = "one", seed: int = 1) -> Habit:
    return Habit(AvailabilityConfig.model_validate({"kind": "diurnal", "time_zones": zones}), seed)


def curve(of: Habit, day: int = 0) -> np.ndarray:
    return np.array([of.free(IDS, (24 * day + hour) * 3600).mean() for hour in HOURS])


def test_hours_per_device_are_the_traces() -> None:
    hours = habit().length_h(IDS) * 4
    assert np.mean(hours) == pytest.approx(18.1, rel=0.05)  # published mean and median
    assert np.median(hours) == pytest.approx(14.5, rel=0.06)


def _day_four() -> np.ndarray:
    root = os.environ.get("CHORDSIM_DATA")
    path = (Path(root) if root else Path(__file__).parents[4] / "shared" / "data") / "devices" / "availability_timeline.csv"
    if not path.exists():
        pytest.skip("the measurements are not on this machine")
    rows = [(float(r["hour"]), float(r["share_of_trace"])) for r in csv.DictReader(path.open())]
    hour, share = np.array(rows).T
    share = share / np.exp(np.polyval(np.polyfit(hour, np.log(share), 1), hour))
    last = (hour >= 72) & (hour < 96)
    return np.interp((HOURS - TRACE_BEGINS_H) % 24, hour[last] - 72, share[last] / share[last].mean())


def test_the_day_that_was_held_out_of_the_fit_is_met_within_15_percent() -> None:
    made = curve(habit())
    assert made / made.mean() == pytest.approx(_day_four(), rel=0.15)


def test_the_world_is_flatter_than_one_zone_and_as_free_on_average() -> None:
    one, world = curve(habit()), curve(habit("world"))
    assert np.ptp(world) < np.ptp(one)
    assert world.mean() == pytest.approx(one.mean(), rel=0.02) and one.mean() == pytest.approx(0.19, rel=0.05)


def test_a_phone_has_habits_and_they_are_its_own() -> None:
    today, tomorrow = (habit().free(IDS, (24 * day + 2) * 3600) for day in (0, 1))
    again = np.mean(tomorrow[today])
    assert again > 2.5 * today.mean()
    some = np.array([59_999, 17, 3])
    assert (habit().free(some, 7200.0) == habit().free(IDS, 7200.0)[some]).all()


def test_a_battery_is_full_after_the_session_and_falls_until_the_next() -> None:
    of = habit()
    levels = np.stack([of.battery(IDS[:2000], hour * 3600) for hour in HOURS])
    assert levels.max() <= 1 and levels.min() >= 0
    within = np.stack([of.free(IDS[:2000], hour * 3600) for hour in HOURS])
    assert (levels[within] == 1).all() and levels[~within].mean() < 0.9


def test_always_is_always() -> None:
    assert isinstance(availability_of(AvailabilityConfig(), 1), Always)
    assert Always().free(IDS, 5.0).all()


def written(folder: Path, *lines: str) -> str:
    path = folder / "trace.csv"
    path.write_text("\n".join(("device_id,start_s,end_s", *lines)) + "\n")
    return str(path)


def test_a_trace_is_played_as_it_stands_and_repeats_by_whole_days(tmp_path: Path) -> None:
    trace = read_trace(written(tmp_path, "7,0,10", "3,86390,86410", "7,20,30.5", "3,5,6"))
    named = read_trace(written(tmp_path, "phone b,0,10", "phone a,86390,86410", "phone b,20,30.5", "phone a,5,6"))
    assert named.devices == trace.devices and named.owner.tolist() == trace.owner.tolist(), "ids may be any text"
    assert trace.devices == 2 and trace.period_s == 2 * 86_400
    of = Traced(trace)
    spans = {0: [(5, 6), (86390, 86410)], 1: [(0, 10), (20, 30.5)]}
    for at in (0.0, 5.0, 5.99, 6.0, 10.0, 20.0, 30.49, 30.5, 86395.0, 86410.0, 172_799.0):
        for later in (0, 172_800, 10 * 172_800):
            want = [any(a <= at < b for a, b in spans[d % 2]) for d in range(5)]
            assert of.free(np.arange(5), at + later).tolist() == want, at


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (("1,0,10", "1,9,20"), ["line 3", "device 1", "overlap"]),
        (("1,9,20", "2,0,1", "1,0,10"), ["line 4", "device 1", "overlap"]),
        (("1,-1,10",), ["line 2", "start_s", "0 or more"]),
        (("1,nan,10",), ["line 2", "start_s", "finite"]),
        (("1,5,5",), ["line 2", "not after"]),
        ((",0,1",), ["line 2", "device id", "empty"]),
        (("9223372036854775808,0,86400",), ["line 2", "device id", "does not fit in 64 bits"]),
        (("1,1600000000,1600040000",), ["line 2", "1970", "seconds since midnight UTC of the first day", "subtract 1599955200"]),
        (("1,0,9", "1,1600000000000,1600040000000"), ["line 3", "1970", "divide by 1000"]),
        (("1,0,86400000",), ["line 2", "beyond a year", "milliseconds"]),
        (("1,8,9.5",), ["9.5 s of the first day", "hours"]),
        (("1,0",), ["line 2", "3 values"]),
        ((), ["no rows"]),
    ],
)
def test_a_bad_trace_gives_one_line(tmp_path: Path, lines: tuple[str, ...], words: list[str]) -> None:
    with pytest.raises(DataError) as caught:
        read_trace(written(tmp_path, *lines))
    assert all(word in str(caught.value) for word in ("trace.csv", *words)) and "\n" not in str(caught.value), str(caught.value)


@pytest.mark.parametrize("name", ["trace_epoch.csv", "trace_huge_id.csv"])
def test_traces_that_left_everybody_out_or_met_a_bug_are_refused_by_line(case: Callable[[str], Path], name: str) -> None:
    with pytest.raises(DataError) as caught:
        read_trace(str(case(name)))
    assert "line 2: " in str(caught.value) and name in str(caught.value) and "\n" not in str(caught.value)


FEDSCALE = {
    "7": {"duration": 200_000, "active": [0, 100_000], "inactive": [3600, 120_000], "finish_time": 259_200, "model": "CPH1801"},
    "12": {"active": [50], "inactive": [], "finish_time": 172_800},
    "3": {"active": [], "inactive": [], "finish_time": 172_800},
}


@pytest.mark.parametrize("form", ["one object", "lines"])
def test_fedscales_form_is_read_as_json(tmp_path: Path, form: str) -> None:
    path = tmp_path / "trace.json"
    lines = [json.dumps({"device_id": int(name), **found}) for name, found in FEDSCALE.items()]
    # With the mark that editors of some systems put before a text.
    path.write_text("\ufeff" + (json.dumps(FEDSCALE, indent=1) if form == "one object" else "\n".join(lines)), encoding="utf-8")
    trace = read_trace(str(path))
    assert trace.devices == 3 and trace.period_s == 2 * 86_400, "one that is never free is a device too"
    for at, free in (
        (10.0, [False, True, False]),
        (60.0, [False, True, True]),
        (110_000.0, [False, True, True]),
        (130_000.0, [False, False, True]),
    ):
        assert trace.covers(np.arange(3), at).tolist() == free, at


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"7": {"active": [1, 2], "inactive": [900]}}', ["device 7", "2 times of active and 1 of inactive"]),
        ('{"7": {"active": ["x"], "inactive": [900]}}', ["device 7", "active", "'x'"]),
        ('{"7": {"active": [5], "inactive": 900}}', ["device 7", "inactive", "a list"]),
        ('{"7": {"active": [5000], "inactive": [900]}}', ["device 7", "not after"]),
        ('{"7": {"active": [1600000000], "inactive": [1600000900]}}', ["device 7", "1970"]),
        ('{"7": {"active": [], "inactive": []}}', ["no span"]),
        ('{"7": {"active": [], "inactive": []}, "7": {}}', ["'7' stands twice"]),
        ('{"active": [5], "inactive": [900]}', ["line 1", "device_id, client_id, id"]),
        ('{"id": 7, "active": [5], "inactive": [900]}\n{"id": 7, "active": [5], "inactive": [900]}', ["device 7", "twice"]),
        ('{"id": 7, "active": [5], "inactive": [900]}\n{"id": 8', ["line 2", "not JSON"]),
        ('{"7": {"active": [5], "inactive": [1' + "0" * 400 + "]}}", ["device 7", "inactive", "finite number"]),
        ('{"\\ud800": {"active": [5], "inactive": [900]}}', ["'\\ud800'", "half a surrogate pair"]),
        ('[{"id": 7, "active": [5], "inactive": [900]}]', ["a JSON array"]),
        ("\x80\x04}q.", ["a pickle, which is not opened", "JSON"]),
    ],
)
def test_a_bad_trace_of_fedscales_form_gives_one_line(tmp_path: Path, text: str, words: list[str]) -> None:
    path = tmp_path / "trace.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(DataError) as caught:
        read_trace(str(path))
    assert all(word in str(caught.value) for word in ("trace.json", *words)) and "\n" not in str(caught.value), str(caught.value)


def test_a_trace_that_is_not_there_or_goes_with_nothing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere.csv"):
        read_trace(str(tmp_path / "nowhere.csv"))
    with pytest.raises(ScenarioError, match="goes with kind"):
        load("offline", ['population.availability.kind="trace"'])
