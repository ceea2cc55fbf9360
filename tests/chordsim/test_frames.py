"""Many runs as one frame: every row is some run's own, and mistakes are told."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest

import chordsim
from chordsim.errors import UserError


def test_frames_hold_the_rows_of_every_run(played_run: Path, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    for name in ("one", "two"):
        shutil.copytree(played_run, runs / name, ignore=shutil.ignore_patterns("report.html", ".lock"))
    (runs / "no-run").mkdir()
    alone = chordsim.api.RunResult(played_run)
    found = chordsim.ledger_df(runs), chordsim.rounds_df(runs), chordsim.devices_df(runs)
    for frame, own in zip(found, (alone.ledger, alone.rounds, alone.devices), strict=True):
        assert frame.columns[0] == "run" and list(frame["run"].unique()) == ["one", "two"]
        for name in ("one", "two"):
            mine = frame[frame["run"] == name].drop(columns="run").reset_index(drop=True)
            pd.testing.assert_frame_equal(mine, own, check_categorical=False, check_dtype=False)
    same = chordsim.ledger_df(alone, str(runs / "one"), runs / "one")
    assert list(same["run"].unique()) == [played_run.name, "one"] and str(same["method"].dtype) == "category"


def test_a_sweeps_folder_is_read_by_its_points(played_run: Path, tmp_path: Path) -> None:
    shutil.copytree(played_run, tmp_path / "points" / "a-1", ignore=shutil.ignore_patterns("ledger", "report.html"))
    assert list(chordsim.rounds_df(tmp_path)["run"].unique()) == ["a-1"]


def test_mistakes_are_one_line(played_run: Path, tmp_path: Path) -> None:
    shutil.copytree(played_run, tmp_path / played_run.name, ignore=shutil.ignore_patterns("ledger", "report.html"))
    (tmp_path / played_run.name / "rounds.csv").unlink()
    for runs, words in (
        ((), "give at least one"),
        ((tmp_path / "none",), "neither a run directory"),
        ((played_run, tmp_path / played_run.name), "both are called"),
        ((tmp_path,), "rounds.csv: cannot be read"),
    ):
        with pytest.raises(UserError, match=words):
            chordsim.rounds_df(*runs)
