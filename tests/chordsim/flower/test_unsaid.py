"""A grid that is let go of without `with`: a crash is never a complete run, wherever it was caught."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
from pathlib import Path

import pytest

from chordsim.flower import PhoneGrid
from chordsim.flower.engines import PhonesInProcess

SCRIPT = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location("flower_apps", sys.argv[1])
apps = sys.modules["flower_apps"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(apps)
from chordsim.flower import PhoneGrid
from chordsim.flower.engines import PhonesInProcess
grid = PhoneGrid(PhonesInProcess(apps.app, 2), "weak-links", "run")
apps.play(grid, rounds=1)
"""


def status(run):
    told = json.loads((run / "manifest.json").read_text())
    return told["status"], " ".join(told.get("errors", [])), told.get("ledger_sha256")


def crashing(at):
    def evaluate(round, arrays):
        if round == at:
            raise ZeroDivisionError("the strategy's own")

    return evaluate


def test_a_crash_that_somebody_caught_is_a_failed_run(apps, ideal, tmp_path):
    with pytest.raises(ZeroDivisionError) as caught:
        apps.play(PhoneGrid(PhonesInProcess(apps.app, 2), ideal, tmp_path / "run"), rounds=3, evaluate_fn=crashing(2))
    del caught
    gc.collect()
    assert status(tmp_path / "run") == ("failed", "the app let go of its grid after round 2 of 3", None)
    with pytest.raises(ZeroDivisionError) as caught:
        apps.play(PhoneGrid(PhonesInProcess(apps.app, 2), ideal, tmp_path / "none"), rounds=3, evaluate_fn=crashing(0))
    del caught
    gc.collect()
    assert status(tmp_path / "none")[:2] == ("failed", "the app let go of its grid before it sent a message")


def test_a_crash_in_a_grid_of_a_name_is_one_too(apps, ideal, tmp_path):
    grid = PhoneGrid(PhonesInProcess(apps.app, 2), ideal, tmp_path / "run")
    try:
        apps.play(grid, rounds=2, evaluate_fn=crashing(0))
    except ZeroDivisionError:
        pass
    apps.play(grid, rounds=1)
    with pytest.raises(ZeroDivisionError) as caught:
        apps.play(grid, rounds=2, evaluate_fn=crashing(1))
    del caught, grid
    gc.collect()
    assert status(tmp_path / "run")[0] == "failed"


@pytest.mark.parametrize(
    ("end", "found"),
    [
        ("raise ValueError('too late')", "failed"),
        pytest.param("", "complete", marks=pytest.mark.slow),
        pytest.param("raise SystemExit(0)", "complete", marks=pytest.mark.slow),
    ],
)
def test_a_script_ends_as_its_process_does(tmp_path, end, found):
    (tmp_path / "script.py").write_text(SCRIPT + end)
    told = [sys.executable, "script.py", str(Path(__file__).with_name("apps.py"))]
    done = subprocess.run(told, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert (done.returncode != 0) == (found == "failed")
    state, errors, hashed = status(tmp_path / "run")
    assert state == found and (hashed is None) == (found == "failed") and ("too late" in errors) == (found == "failed")
