"""Three SuperNodes, three rounds, a real SuperLink on loopback: the objects that it carries are the ledger's bytes, every one of them."""

from __future__ import annotations

import json
import shutil
import sys
from collections import Counter
from pathlib import Path

import pytest
import tomli_w

from chordsim.deploy import processes
from chordsim.deploy.deployment import deployment, wait_for
from chordsim.ledger.parquet import read_ledger

APP = Path(__file__).resolve().parents[3] / "examples" / "flower_app"
ROUNDS, NODES = 3, 3
IDEAL = """methods = ["fp32"]
[data]
source = "synthetic"
[population]
era = "2025"
[clock]
loss = 0.0
"""
#: The SuperLink as it is installed, which also writes down what it counts, and where: it counts in four places.
TAPPED = """#!{python}
import json, os, sys
from flwr.server.superlink.linkstate.in_memory_linkstate import InMemoryLinkState
from flwr.server.superlink.linkstate.sql_linkstate import SqlLinkState

def tapped(counts):
    def store_traffic(self, run_id, *, bytes_sent, bytes_recv):
        line = json.dumps([sys._getframe(1).f_code.co_name, bytes_sent, bytes_recv]) + "\\n"
        with open({told!r}, "a") as file:
            file.write(line)
        return counts(self, run_id, bytes_sent=bytes_sent, bytes_recv=bytes_recv)
    return store_traffic

for state in (InMemoryLinkState, SqlLinkState):
    state.store_traffic = tapped(state.store_traffic)
from flwr.superlink.cli import flower_superlink
sys.exit(flower_superlink())
"""


@pytest.mark.slow
def test_what_a_superlink_carries_is_the_ledger(tmp_path, monkeypatch):
    told, tapped = tmp_path / "told.jsonl", tmp_path / "flower-superlink-tapped"
    tapped.write_text(TAPPED.format(python=sys.executable, told=str(told)))
    tapped.chmod(0o755)
    start = processes.start

    def started(name, command, *more):
        return start(name, ["tapped" if command[0] == "flower-superlink" else command[0], *command[1:]], *more)

    program = processes.program
    monkeypatch.setattr(processes, "program", lambda name: str(tapped) if name == "tapped" else program(name))
    monkeypatch.setattr(processes, "start", started)
    scenario, out, app = tmp_path / "ideal.toml", tmp_path / "run", tmp_path / "app"
    scenario.write_text(IDEAL)
    shutil.copytree(APP, app, ignore=shutil.ignore_patterns("__pycache__"))
    found: dict[str, object] = {}
    with deployment(tmp_path / "link") as link:
        link.add_nodes(NODES)
        config = tmp_path / "config.toml"
        config.write_text(tomli_w.dumps({"scenario": str(scenario), "out": str(out), "num-server-rounds": ROUNDS}))
        run = link.flower.run(app, config)

        def finished() -> bool:
            found.update(link.flower.state(run))
            return str(found["status"]).startswith("finished")

        wait_for(finished, "the run", 600)
        assert found["status"] == "finished:completed", link.flower.log(run)
    ledger = read_ledger(out)
    assert len(ledger) == NODES * ROUNDS and (ledger["outcome"] == "served").all() and (ledger["round_trips"] == 4).all()
    down, up = Counter[str](), Counter[str]()
    for line in told.read_text().splitlines():
        place, sent, received = json.loads(line)
        down[place] += sent
        up[place] += received
    assert set(down) == {"pull_messages", "pull_object", "push_messages", "push_object"}
    # Objects go through these two alone, and nothing else does.
    assert ledger["down_bytes"].sum() == down["pull_object"] and up["pull_object"] == 0
    assert ledger["up_bytes"].sum() == up["push_object"] and down["push_object"] == 0
    # What Flower tells of the run is this, and the messages' metadata with the lists of object ids that go ahead.
    assert {way: int(found["network-traffic"][f"{way}-bytes"]) for way in ("outbound", "inbound")} == {
        "outbound": down.total(),
        "inbound": up.total(),
    }
    print({"ledger": ledger[["prescription_bytes", "framing_down_bytes", "update_bytes", "framing_up_bytes"]].sum().to_dict()}, down, up)
