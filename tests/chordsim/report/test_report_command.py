"""`chordsim report` makes the page or prints a table; a mistake is one line and exit code 2 or 1. Long runs keep a small page."""

from __future__ import annotations

import json

import numpy as np
import pytest

from chordsim.cli import main
from chordsim.report.charts.chart import MOST_POINTS, spread


def test_the_page_goes_where_it_is_asked_to(made_run, tmp_path, capsys):
    run = made_run(tmp_path / "run", {"a": [np.full(5, 0.5)]})
    assert main(["report", str(run)]) == 0 and (run / "report.html").is_file()
    assert main(["report", str(run), "--out", str(tmp_path / "mine.html")]) == 0 and (tmp_path / "mine.html").is_file()
    assert "report.html" in capsys.readouterr().out


def test_a_table_is_all_that_is_printed(made_run, tmp_path, capsys):
    assert main(["report", str(made_run(tmp_path / "run", {"a": [np.full(5, 0.5)]})), "--table", "markdown"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("| method |") and not (tmp_path / "run" / "report.html").exists()


@pytest.mark.parametrize(("argument", "code"), [(["nowhere"], 2), (["."], 2)])
def test_a_mistake_is_one_line(argument, code, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["report", *argument]) == code
    err = capsys.readouterr().err
    assert err.startswith("chordsim: error: ") and err.count("\n") == 1


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("protocol", None, "protocol: not an object"),
        ("data", [], "data: not an object"),
        ("errors", "x", "errors: not a list"),
        ("seed", "1", "seed: "),
    ],
)
def test_a_manifest_of_another_shape_is_a_mistake_that_names_the_part(key, value, says, made_run, tmp_path, capsys):
    run = made_run(tmp_path / "run", {"a": [np.full(5, 0.5)]})
    path = run / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))
    for words in (["report", str(run)], ["compare", str(run), str(run)]):
        assert main(words) == 2
        assert f"{path}: {says}" in capsys.readouterr().err


def test_a_scenario_of_another_shape_is_a_mistake_that_names_the_part(made_run, tmp_path, capsys):
    run = made_run(tmp_path / "run", {"a": [np.full(5, 0.5)]})
    for text, says in (
        ("methods = 5", "methods: not a list"),
        ("population = 3", "population: not an object"),
        ("[population]\ntiers = []", "tiers: not"),
    ):
        (run / "scenario.toml").write_text(text)
        assert main(["report", str(run)]) == 2
        assert f"scenario.toml: {says}" in capsys.readouterr().err


@pytest.mark.parametrize("count", [0, 1, 2, MOST_POINTS, MOST_POINTS + 1, 100_000])
def test_long_lines_are_thinned_evenly_and_keep_their_end(count):
    shown = spread(count)
    assert len(shown) == min(count, MOST_POINTS) and shown == sorted(set(shown))
    assert not count or shown[-1] == count - 1
