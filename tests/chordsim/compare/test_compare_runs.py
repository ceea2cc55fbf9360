"""Runs are compared over the same users and rounds, or refused in one line that says why."""

from __future__ import annotations

import numpy as np
import pytest

from chordsim.cli import main
from chordsim.compare.compare import compare
from chordsim.compare.comparison import verdict, write
from chordsim.compare.scenario_diff import differences
from chordsim.errors import ChordsimError

RNG = np.random.default_rng(5)
A = [RNG.random(60) for _ in range(2)]


def test_two_identical_runs_show_zero_and_no_significance(made_run, tmp_path, capsys):
    runs = [made_run(tmp_path / name, {"m": A, "n": A[::-1]}) for name in ("one", "two")]
    found = compare(runs)
    assert len(found.lines) == 4 and not found.differs
    assert all(line.difference.mean == 0 and not line.difference.significant for line in found.lines)
    assert main(["compare", *map(str, runs), "--out", str(tmp_path / "page.html")]) == 0
    out = capsys.readouterr().out
    assert "No difference at all" in out and "the scenarios are the same" in out
    page = (tmp_path / "page.html").read_text()
    assert "default-src 'none'" in page and "What differs" in page


def test_a_known_difference_is_found_with_its_sign(made_run, tmp_path):
    better = [values + 0.1 + RNG.normal(0, 0.01, 60) for values in A]
    found = compare([made_run(tmp_path / "one", {"m": A}), made_run(tmp_path / "two", {"m": better})])
    for line in found.lines:
        assert line.difference.mean == pytest.approx(0.1, abs=0.01) and line.difference.significant
        assert line.other - line.base == pytest.approx(line.difference.mean)
    assert "Significant in 2 of 2" in verdict(found)


def test_both_served_pairs_round_by_round(made_run, tmp_path):
    # Each user is served in one round of the second run only; where both served, nothing differs.
    second = [np.where(np.arange(60) % 2 == n, values, np.nan) for n, values in enumerate(A)]
    found = compare([made_run(tmp_path / "one", {"m": A}), made_run(tmp_path / "two", {"m": second})])
    by_view = {line.view: line.difference for line in found.lines}
    assert by_view["both served"].mean == 0 and by_view["both served"].users == 60
    assert by_view["to serve"].mean < 0


def test_three_runs_are_one_family_and_one_page(made_run, tmp_path):
    runs = [made_run(tmp_path / name, {"m": A}) for name in ("one", "two", "three")]
    found = compare(runs)
    assert [line.run for line in found.lines] == [1, 1, 2, 2]
    assert write(found, tmp_path / "page.html").stat().st_size < 6e6


def test_single_methods_of_other_names_are_compared(made_run, tmp_path):
    found = compare([made_run(tmp_path / "one", {"m": A}), made_run(tmp_path / "two", {"n": A})])
    assert {line.method for line in found.lines} == {"n to m"}


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"digest": "e" * 16}, "users and items differ"),
        ({"ranking": "the target and 100 uniform negatives"}, "ranking protocol differ"),
        ({"users": np.arange(60) + 1}, "users to serve differ: 2 of 61"),
        ({"schema": 7}, "schema 7"),
    ],
)
def test_runs_that_cannot_be_compared_are_refused_with_the_reason(made_run, tmp_path, other, words):
    one, two = made_run(tmp_path / "one", {"m": A}), made_run(tmp_path / "two", {"m": A}, **other)
    with pytest.raises(ChordsimError, match=words) as caught:
        compare([one, two])
    assert str(two) in str(caught.value) and "\n" not in str(caught.value)


def test_runs_without_a_common_method_are_refused(made_run, tmp_path):
    runs = [made_run(tmp_path / "one", {"m": A, "k": A}), made_run(tmp_path / "two", {"n": A})]
    with pytest.raises(ChordsimError, match="no method in common"):
        compare(runs)


def test_one_run_is_not_enough(made_run, tmp_path, capsys):
    assert main(["compare", str(made_run(tmp_path / "one", {"m": A}))]) == 2
    assert "at least two" in capsys.readouterr().err


def test_scenarios_differ_by_key_and_not_by_name():
    one = {"name": "a", "question": "x", "data": {"source": "file", "k_core": True}, "methods": ["m"]}
    two = {"name": "b", "question": "y", "data": {"source": "file"}, "methods": ["m", "n"]}
    assert differences([one, two]) == [("data.k_core", ["true", "–"]), ("methods", ["m", "m, n"])]
