"""Two checkouts side by side: who has which partner, what the ratios are, and what counts as the same ledger."""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from benchmarks.throughput import against  # noqa: E402
from benchmarks.throughput.agreement import told  # noqa: E402
from benchmarks.throughput.kinds import commands  # noqa: E402
from benchmarks.throughput.pieces import QUICK  # noqa: E402
from benchmarks.throughput.results import Results, Writer  # noqa: E402
from benchmarks.throughput.turns import Turns  # noqa: E402
from chordsim.scenario.load import load  # noqa: E402


def test_each_case_has_a_partner_with_the_same_scenario_on_the_other_checkout(tmp_path: Path) -> None:
    for name, piece in against.pieces(tmp_path).items():
        cases = {case.name: case for case in piece.cases(QUICK, tmp_path)}
        mine = [case for case in cases if not case.endswith(against.BEFORE)]
        assert mine and any(f"{case}{against.BEFORE}" in cases for case in mine), name
        for case in mine:
            asked = cases[case].settings["overrides"]
            other = cases.get(f"{case}{against.BEFORE}")
            if other is None:
                assert case.endswith(against.ALONE)
                continue
            assert asked == [*other.settings["overrides"], *against.SAME_RULES]
            where = other.settings["root"] if other.kind == against.COMMAND else str(other.root)
            assert where == str(tmp_path) and cases[case].root == ROOT
            load(cases[case].settings.get("scenario", "quickstart"), asked)


def test_more_is_better_of_rates_and_less_of_times(tmp_path: Path) -> None:
    for n, (now, before) in enumerate([(30.0, 10.0), (10.0, 5.0), (50.0, 10.0)]):
        rates = {"rounds": {"device_rounds_per_s": now}, "rounds@before": {"device_rounds_per_s": before}}
        Writer(tmp_path, "against-whole").add(n, rates)
        steps = {"fp32": {"ms_per_step": before}, "fp32@before": {"ms_per_step": now}}
        Writer(tmp_path, "against-step").add(n, steps)
    rows = against.table(Results(tmp_path))
    assert [row[-1] for row in rows] == ["3.00 (2.00 to 5.00)"] * 2
    assert rows[0][2:4] == ("10 (5 to 10)", "30 (10 to 50)")


def test_ledgers_are_the_same_but_for_a_few_ranks() -> None:
    before = pd.DataFrame({"method": "a", "round": 1, "device_id": range(500), "outcome": "served", "rank": 2.0, "up_bytes": 9, "gone": 0})
    assert told(before, before.drop(columns="gone"))[1]
    few = before.assign(rank=[3.0, *[2.0] * 499])
    lines, same = told(before, few)
    assert same and "rank: 1 of 500 differ, by up to 1" in lines and "up_bytes: equal" in lines
    assert not told(before, before.assign(rank=3.0))[1]
    assert not told(before, before.assign(up_bytes=[8, *[9] * 499]))[1]
    assert not told(before, before[1:])[1]


@pytest.mark.slow
def test_a_command_is_timed_from_start_to_report_with_nothing_trained_beforehand(monkeypatch: pytest.MonkeyPatch) -> None:
    class Once(Turns):
        def __init__(self) -> None:
            self.figures: dict[str, float] = {}

        def ready(self, **about: object) -> None: ...

        def __iter__(self):  # type: ignore[no-untyped-def]
            yield

        def result(self, **figures: float) -> None:
            self.figures = figures

    turns, case = Once(), against.pieces(ROOT)["against-million"].cases(QUICK, ROOT)[0]
    assert case.kind == against.COMMAND
    commands.run(turns, **case.settings)
    assert turns.figures["device_rounds"] == 600 and 0 < turns.figures["train_s"] < turns.figures["wall_s"]
