"""A sweep redoes only what was unfinished, shares trained models, and gives one table with intervals."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from chordsim import api
from chordsim.cli import main
from chordsim.errors import RunError, UserError
from chordsim.store.directory import take_lock
from chordsim.sweep.found import charts
from chordsim.sweep.points import axis, points
from chordsim.sweep.sweep import sweep
from chordsim.sweep.tidy import typed

OVER = ["rounds.requests_per_round=1,5"]


@pytest.fixture
def small(tiny):
    return tiny("rounds.count=1", methods=("uniform-2", "chord-plus"))


@pytest.fixture
def calls(monkeypatch):
    """Count the runs that a sweep really makes."""
    seen, real = [], api.run

    def counted(*args, **keywords):
        seen.append(keywords["out"].name)
        return real(*args, **keywords)

    monkeypatch.setattr(api, "run", counted)
    return seen


def test_a_sweep_killed_in_the_middle_redoes_only_what_was_unfinished(small, tmp_path, calls, monkeypatch):
    real, killed = api.run, []

    def kill_second(*args, **keywords):
        result = real(*args, **keywords)
        if len(calls) == 2 and not killed:
            killed.append(keywords["out"])
            manifest = json.loads((keywords["out"] / "manifest.json").read_text())
            (keywords["out"] / "manifest.json").write_text(json.dumps({**manifest, "status": "running"}))
            raise KeyboardInterrupt
        return result

    monkeypatch.setattr(api, "run", kill_second)
    with pytest.raises(KeyboardInterrupt):
        sweep("offline", OVER, seeds=2, overrides=small, out=tmp_path / "s")
    first = calls.copy()
    assert len(first) == 2
    done = sweep("offline", OVER, seeds=2, overrides=small, out=tmp_path / "s")
    assert calls[2:] and first[0] not in calls[2:] and calls[2] == killed[0].name
    assert done.redone == 3 and len(done.table) == 4 * 2
    again = sweep("offline", OVER, seeds=2, overrides=small, out=tmp_path / "s")
    assert again.redone == 0
    pd.testing.assert_frame_equal(again.table, done.table)
    models = [json.loads((p / "manifest.json").read_text())["cloud_models"] for p in sorted((tmp_path / "s" / "points").iterdir())]
    assert any(all(found.values()) for found in models), "points of one seed share their trained models"


def test_the_table_has_a_row_per_point_seed_and_method_and_equals_the_summaries(small, tmp_path, calls):
    found = sweep("offline", OVER, seeds=1, overrides=small, out=tmp_path / "s")
    table = pd.read_csv(tmp_path / "s" / "sweep.csv")
    assert len(table) == 4 and set(table["method"]) == {"uniform-2", "chord-plus"}
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "s" / "sweep.parquet"), found.table)
    for _, row in table.iterrows():
        told = json.loads((tmp_path / "s" / row["run"] / "summary.json").read_text())["methods"][row["method"]]
        assert row["ndcg_10_all"] == pytest.approx(told["ndcg_10_all"]["mean"])
        assert row["bytes_after_10_sessions"] == pytest.approx(told["bytes_after_sessions"]["10"])
    assert not (tmp_path / "s" / table["run"][0] / "report.html").exists()
    page = (tmp_path / "s" / "sweep.html").read_text()
    assert "default-src 'none'" in page and len(page.encode()) < 6e6
    calls.clear()
    assert sweep("offline", ["rounds.requests_per_round=1,5,9"], overrides=small, out=tmp_path / "s").redone == 1
    (tmp_path / "s" / table["run"][0] / "summary.json").unlink()
    assert sweep("offline", ["rounds.requests_per_round=1,5,9"], overrides=small, out=tmp_path / "s").redone == 1


def test_a_point_that_fails_leaves_the_others_finished_and_is_told(small, tmp_path, monkeypatch):
    real = api.run

    def fail_one(*args, **keywords):
        if "rounds.requests_per_round=5" in keywords["overrides"]:
            raise RunError("no more paper")
        return real(*args, **keywords)

    monkeypatch.setattr(api, "run", fail_one)
    with pytest.raises(RunError, match="1 of 2 points are not finished.*no more paper"):
        sweep("offline", OVER, overrides=small, out=tmp_path / "s")
    assert len(pd.read_csv(tmp_path / "s" / "sweep.csv")) == 2


def test_two_sweeps_never_share_a_folder(small, tmp_path):
    (tmp_path / "s").mkdir()
    lock = take_lock(tmp_path / "s")
    with pytest.raises(UserError, match="another run"):
        sweep("offline", OVER, overrides=small, out=tmp_path / "s")
    import os

    os.close(lock)


def test_what_is_no_run_is_never_removed(small, tmp_path):
    grid = points("offline", [axis(OVER[0])], small, None, 1)
    mine = tmp_path / "s" / "points" / grid[0].name
    mine.mkdir(parents=True)
    (mine / "thesis.txt").write_text("years of work")
    with pytest.raises(UserError, match="move it away"):
        sweep("offline", OVER, overrides=small, out=tmp_path / "s")
    assert (mine / "thesis.txt").exists()


def test_seeds_alone_are_a_sweep_and_one_run_is_none(small, tmp_path, capsys):
    out = tmp_path / "s"
    with pytest.raises(UserError, match="--over key=a,b,c, several seeds"):
        sweep("offline", (), overrides=small, out=out)
    overrides = [word for text in small for word in ("--set", text)]
    assert main(["sweep", "offline", "--seeds", "3", "--out", str(out), *overrides]) == 0
    told = capsys.readouterr().out
    assert "over seeds" in told and "spread" in told and "(Holm)" in told
    assert "fp32, the scenario's protocol.baseline, is not in this run: differences are against uniform-2" in told
    table = pd.read_csv(out / "sweep_over_seeds.csv")
    tidy = pd.read_csv(out / "sweep.csv")
    for _, row in table.iterrows():
        by_seed = tidy[tidy["method"] == row["method"]]["ndcg_10_all"]
        assert row["spread_over_seeds"] == pytest.approx(by_seed.std(), abs=1e-5) and row["ci95_low"] < row["ci95_high"]


def test_values_keep_their_types():
    assert [typed(text) for text in ("1", "0.5", "true", '"x"', "x", "[1, 2]")] == [1, 0.5, True, "x", "x", "[1, 2]"]


def test_a_mistake_in_the_grid_exits_2_and_makes_nothing(tmp_path, capsys):
    assert main(["sweep", "offline", "--over", "rounds.cuont=1,2", "--out", str(tmp_path / "s")]) == 2
    assert "rounds.cuont" in capsys.readouterr().err and not (tmp_path / "s").exists()


def test_in_sizes_the_page_draws_bytes_against_what_was_swept(tiny, tmp_path):
    few = [
        "population.devices=40",
        "data.synthetic.users=40",
        "data.synthetic.items=200",
        "data.synthetic.mean_length=20.0",
        "rounds.count=4",
    ]
    over = ["rounds.new_model_every=0,2"]
    sweep("refresh", over, overrides=[*few, 'methods=["fp32","uniform-2"]', "clock.loss=0.0"], out=tmp_path / "s")
    (chart,) = charts(tmp_path / "s")
    assert chart.key == "bytes_by_rounds.new_model_every" and len(chart.rows) == 4
    after = {(method, every): value for method, every, value, _ in chart.rows}
    for method in ("fp32", "uniform-2"):
        assert after[method, "2"] > 10 * after[method, "0"], "a new model every other round is paid for some fifty times"
