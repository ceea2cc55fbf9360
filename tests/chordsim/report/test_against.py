"""A run's differences are against the method that its scenario names, whoever won."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from chordsim.errors import ScenarioError
from chordsim.report.against import against_baseline, headline, table
from chordsim.report.gather import gather
from chordsim.report.page import write
from chordsim.scenario.load import dump, load, parse

RNG = np.random.default_rng(4)
PLAIN = RNG.random(60)
METHODS = {"best": [PLAIN + 0.3], "fp32": [PLAIN], "same": [PLAIN + RNG.normal(0, 0.01, 60)], "worst": [PLAIN - 0.2]}


def against(run, scenario=""):
    if scenario:
        path = run / "scenario.toml"
        path.write_text(path.read_text() + scenario)
    g = gather(run)
    return g, against_baseline(g)


def test_the_default_baseline_is_fp32_and_not_who_won(made_run, tmp_path):
    g, found = against(made_run(tmp_path / "r", METHODS))
    assert found.base == "fp32" and set(found.differences) == {"best", "same", "worst"}
    assert found.differences["best"].mean == pytest.approx(0.3) and found.differences["worst"].mean == pytest.approx(-0.2)
    assert found.differences["same"].p == pytest.approx(stats.ttest_rel(METHODS["same"][0], PLAIN).pvalue, abs=0.05)
    words = headline(g, found)
    assert words.startswith("best gave users the best lists") and "above fp32: best." in words and "below fp32: worst." in words
    assert "Not significantly different from fp32: same." in words
    page = write(tmp_path / "r").read_text()
    assert "Differences are against fp32" in page and words.split(": NDCG")[0] in page


def test_the_scenario_names_another(made_run, tmp_path):
    _, found = against(made_run(tmp_path / "r", METHODS), '[protocol]\nbaseline = "worst"\n')
    assert found.base == "worst" and found.differences["fp32"].mean == pytest.approx(0.2)
    assert "Differences are against worst" in found.said


def test_a_run_without_the_baseline_says_what_it_takes_instead(made_run, tmp_path):
    _, found = against(made_run(tmp_path / "r", {name: METHODS[name] for name in ("same", "best")}))
    assert (found.base, list(found.differences)) == ("same", ["best"])
    assert found.said.startswith("fp32, the scenario's protocol.baseline, is not in this run: differences are against same")


def test_a_baseline_alone_has_no_table(made_run, tmp_path):
    g, found = against(made_run(tmp_path / "r", {"fp32": [PLAIN]}))
    assert table(found) == [] and headline(g, found).startswith("fp32 gave users the best lists")


def test_a_baseline_that_is_not_played_is_refused_when_the_scenario_is_read():
    with pytest.raises(ScenarioError, match=r"protocol\.baseline.*qat-2 is not played: name one of fp32, uniform-2"):
        load("offline", ['methods=["fp32", "uniform-2"]', "protocol.baseline=qat-2"])
    made = load("offline", ['methods=["fp32", "uniform-2"]', "protocol.baseline=uniform-2"])
    assert made.protocol.baseline == "uniform-2" and parse(dump(made)) == made
    without = load("offline", ['methods=["uniform-2"]'])
    assert without.protocol.baseline == "fp32" and parse(dump(without)) == without
