"""The example app of docs/flower.md runs on chordsim's engine as it stands, and compares with itself."""

from __future__ import annotations

import importlib
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from chordsim.flower.engines import run_apps
from chordsim.ledger.parquet import read_ledger

APP = Path(__file__).resolve().parents[3] / "examples" / "flower_app"


@pytest.fixture
def quickstart(monkeypatch):
    monkeypatch.syspath_prepend(str(APP))
    yield [importlib.import_module(f"quickstart.{side}").app for side in ("server_app", "client_app")]
    for name in [name for name in sys.modules if name.partition(".")[0] == "quickstart"]:
        del sys.modules[name]


def test_the_example_app_runs_and_its_runs_compare(quickstart, tmp_path):
    config = tomllib.loads((APP / "pyproject.toml").read_text())["tool"]["flwr"]["app"]["config"]
    for place, scenario in (("weak", "weak-links"), ("ideal", "one-day-around-the-world")):
        told = {**config, "num-server-rounds": 2, "scenario": scenario, "out": str(tmp_path / place)}
        run_apps(*quickstart, 20, run_config=told)
    assert {"served", "dropped"} <= set(read_ledger(tmp_path / "weak")["outcome"])
    done = subprocess.run(
        [sys.executable, "-c", "from chordsim.cli import main; main()", "compare", "weak", "ideal", "--out", "both.html"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "eval_acc" in done.stdout and "fedavg" in done.stdout and "eval_acc" in (tmp_path / "both.html").read_text()
