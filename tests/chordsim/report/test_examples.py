"""The notebooks in examples/ run as they stand; here with smaller models, so that it takes seconds."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from chordsim import api

EXAMPLES = Path(__file__).parents[3] / "examples"


@pytest.mark.parametrize(("name", "says"), [("communication_cost", "after 100 (B)"), ("heterogeneity", "comparisons (Holm, 5 %)")])
def test_an_example_runs_from_its_first_cell_to_its_last(name, says, tiny_overrides, shared_cache, tmp_path, monkeypatch, capsys):
    real = api.run

    def smaller(scenario, *, overrides, seed):
        methods = tuple(overrides[0].removeprefix('methods=["').removesuffix('"]').split('", "'))
        return real(scenario, overrides=[*tiny_overrides(methods=methods)[1:], *overrides], seed=seed)

    monkeypatch.setenv("CHORDSIM_CACHE", str(shared_cache))
    monkeypatch.setattr(api, "run", smaller)
    monkeypatch.chdir(tmp_path)
    source = (EXAMPLES / f"{name}.py").read_text()
    assert source.count("\n# %%") >= 6
    runpy.run_path(str(EXAMPLES / f"{name}.py"))
    assert says in capsys.readouterr().out
