"""A sweep's table for a paper and its page are made from its folder alone, and hold what the sweep found."""

from __future__ import annotations

import csv
import io
import shutil

import pandas as pd
import pytest

from chordsim.cli import main
from chordsim.sweep.found import find, is_sweep
from chordsim.sweep.seeds_table import table
from chordsim.sweep.sweep import sweep


@pytest.fixture(scope="module")
def swept(tiny_overrides, shared_cache, tmp_path_factory):
    """Return a sweep over two values and three seeds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CHORDSIM_CACHE", str(shared_cache))
        out = tmp_path_factory.mktemp("swept") / "s"
        overrides = tiny_overrides("rounds.count=1", methods=("uniform-2", "markov"))
        return sweep("offline", ["rounds.requests_per_round=1,5"], seeds=3, overrides=overrides, out=out)


def test_the_folder_alone_tells_what_the_sweep_found(swept, capsys):
    assert is_sweep(swept.path) and not is_sweep(swept.path / "points")
    found = find(swept.path)
    assert (found.keys, found.means) == (swept.keys, swept.means)
    there = pd.read_csv(swept.path / "sweep_over_seeds.csv")
    pd.testing.assert_frame_equal(pd.read_csv(io.StringIO(table(swept.path, "csv"))), there)
    page = (swept.path / "sweep.html").read_bytes()
    assert main(["report", str(swept.path), "--out", str(swept.path / "again.html")]) == 0
    assert (swept.path / "again.html").read_bytes() == page and "again.html" in capsys.readouterr().out


def test_rows_are_methods_at_their_values_and_the_best_is_bold(swept, capsys):
    assert main(["report", str(swept.path), "--table", "markdown"]) == 0
    lines = [line.strip("| ").split(" | ") for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    assert lines[0] == ["method", "requests_per_round", "NDCG@10", "Δ", "95 % CI", "s.d.", "kB"]
    assert [line[:2] for line in lines[2:]] == [[m.method, str(m.values[0])] for m in swept.means]
    top = max(m.estimate.mean for m in swept.means)
    assert [line[2].startswith("**") for line in lines[2:]] == [m.estimate.mean == pytest.approx(top, abs=5e-5) for m in swept.means]
    latex = table(swept.path, "latex")
    assert latex.count("\\midrule\n") == 2 and "over seeds" in latex and r"\label{tab:sweep-offline}" in latex
    assert ("kB" in latex.split("toprule")[-1]) == ("kB:" in latex), "a caption says nothing of what is not there"


def test_figures_of_a_sweep_have_its_numbers_beside_them(swept, tmp_path):
    words = ["--figure", "pdf", "--chart", "by_rounds.requests_per_round", "--out", str(tmp_path)]
    assert main(["report", str(swept.path), *words]) == 0
    assert (tmp_path / "by_rounds.requests_per_round.pdf").read_bytes().startswith(b"%PDF-")
    with (tmp_path / "by_rounds.requests_per_round.csv").open() as file:
        rows = {(row["method"], int(row["rounds.requests_per_round"])): float(row["ndcg_10_all"]) for row in csv.DictReader(file)}
    assert rows == {(m.method, m.values[0]): pytest.approx(m.estimate.mean, rel=1e-5) for m in swept.means}


def test_a_mistake_is_one_line(swept, tmp_path, capsys):
    assert main(["report", str(swept.path), "--table", "recbole"]) == 2
    broken = tmp_path / "s"
    shutil.copytree(swept.path, broken)
    (broken / "sweep.csv").write_text("nonsense\n")
    assert main(["report", str(broken), "--table", "latex"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2 and "for one run" in lines[0] and "sweep.csv" in lines[1]
