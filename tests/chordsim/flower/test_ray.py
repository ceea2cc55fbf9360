"""The same app on Ray workers: the same weights and the same ledger as in one process, and what a worker's death leaves."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from flwr.app import Message, RecordDict

from chordsim.flower import PhoneGrid
from chordsim.flower.engines import PhonesInProcess
from chordsim.flower.workers import PhonesOnRay
from chordsim.ledger.parquet import read_ledger

DIES = """
import os
from flwr.app import Message
from flwr.clientapp import ClientApp
app = ClientApp()

@app.train()
def train(message, context):
    if context.node_config["partition-id"] == 1:
        os._exit(1)
    return Message(message.content, reply_to=message)
"""


@pytest.mark.slow
def test_ray_gives_the_ledger_that_one_process_gives(apps, weak, tmp_path, monkeypatch):
    shutil.copy(Path(__file__).with_name("apps.py"), tmp_path / "quickstart_app.py")
    monkeypatch.syspath_prepend(str(tmp_path))
    with PhoneGrid(PhonesInProcess(apps.app, 50), weak, tmp_path / "one") as grid:
        one = apps.play(grid)
    with PhonesOnRay("quickstart_app:app", 50, workers=2) as nodes, PhoneGrid(nodes, weak, tmp_path / "ray") as grid:
        many = apps.play(grid)
    assert all(torch.equal(one[name], many[name]) for name in one)
    a, b = (json.loads((tmp_path / place / "manifest.json").read_text()) for place in ("one", "ray"))
    assert a["ledger_sha256"] == b["ledger_sha256"]


@pytest.mark.slow
def test_an_app_whose_own_module_is_called_server(apps, ideal, tmp_path, monkeypatch):
    (tmp_path / "server.py").write_text((Path(__file__).with_name("apps.py")).read_text())
    script = (
        "import server\n"
        "from chordsim.flower import PhoneGrid\n"
        "from chordsim.flower.workers import PhonesOnRay\n"
        "with PhonesOnRay('server:app', 4, workers=1) as nodes, PhoneGrid(nodes, 'weak-links', 'run') as grid:\n"
        "    server.play(grid, 1)\n"
    )
    (tmp_path / "main.py").write_text(script)
    subprocess.run([sys.executable, "main.py"], cwd=tmp_path, check=True, timeout=300)
    with PhoneGrid(PhonesInProcess(apps.app, 4), "weak-links", tmp_path / "one") as grid:
        apps.play(grid, 1)
    a, b = (json.loads((tmp_path / place / "manifest.json").read_text()) for place in ("one", "run"))
    assert b["status"] == "complete" and a["ledger_sha256"] == b["ledger_sha256"]


@pytest.mark.slow
def test_a_worker_that_dies_fails_its_batch_and_comes_back(apps, ideal, tmp_path, monkeypatch):
    (tmp_path / "dying_app.py").write_text(DIES)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert "dying_app" not in sys.modules
    with PhonesOnRay("dying_app:app", 4, workers=2) as nodes, PhoneGrid(nodes, ideal, tmp_path / "run") as grid:
        for group, skip in (("1", ()), ("2", (3,))):
            ids = [node for node in grid.get_node_ids() if node not in skip]
            grid.send_and_receive([Message(RecordDict(), dst_node_id=n, message_type="train", group_id=group) for n in ids])
    ledger = read_ledger(tmp_path / "run")
    first, second = (ledger[ledger["round"] == r]["outcome"].tolist() for r in (1, 2))
    assert first == ["served", "failed", "served", "failed"] and second == ["served"] * 3
