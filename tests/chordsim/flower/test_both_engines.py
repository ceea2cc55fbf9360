"""An unmodified app in the style of Flower's PyTorch quickstart: one ledger on chordsim's Ray engine and in Flower's own simulation."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from chordsim.flower import PhoneGrid
from chordsim.flower.workers import PhonesOnRay
from chordsim.ledger.parquet import read_ledger

PHONES, ROUNDS = 200, 10
#: The app's server side as `flwr run` finds it; the grid is the one line that knows chordsim.
IN_FLOWER = """
import sys
import quickstart_app as quickstart
from flwr.serverapp import ServerApp
from flwr.simulation import run_simulation
from chordsim.flower import PhoneGrid

phones, rounds, temporary = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
result = {}
app = quickstart.server(result, lambda grid: PhoneGrid(grid, "weak-links", "flower"), rounds)
init = {"num_cpus": 2, "num_gpus": 0, "include_dashboard": False, "log_to_driver": False, "_temp_dir": temporary}
run_simulation(app, quickstart.app, phones, backend_config={"client_resources": {"num_cpus": 1}, "init_args": init})
assert "weights" in result
"""


@pytest.mark.slow
def test_ray_and_flowers_simulation_give_one_ledger(apps, tmp_path, monkeypatch):
    import tempfile

    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    shutil.copy(Path(__file__).with_name("apps.py"), tmp_path / "quickstart_app.py")
    monkeypatch.syspath_prepend(str(tmp_path))
    with PhonesOnRay("quickstart_app:app", PHONES, workers=2) as nodes, PhoneGrid(nodes, "weak-links", tmp_path / "ray") as grid:
        apps.play(grid, ROUNDS)
    (tmp_path / "in_flower.py").write_text(IN_FLOWER)
    with tempfile.TemporaryDirectory(prefix="ray-", dir="/tmp") as short:  # noqa: S108 (Ray's sockets need a short path)
        told = [sys.executable, "in_flower.py", str(PHONES), str(ROUNDS), short]
        done = subprocess.run(told, cwd=tmp_path, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    ours, flowers = (json.loads((tmp_path / place / "manifest.json").read_text()) for place in ("ray", "flower"))
    assert ours["status"] == flowers["status"] == "complete"
    assert ours["ledger_sha256"] and ours["ledger_sha256"] == flowers["ledger_sha256"]
    ledger = read_ledger(tmp_path / "ray")
    assert len(ledger) == PHONES * ROUNDS and {"served", "dropped"} <= set(ledger["outcome"])
