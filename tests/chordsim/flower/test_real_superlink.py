"""Three SuperNodes, three rounds, a real SuperLink on loopback: what it counts is the ledger's bytes and Flower's lists of objects."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import tomli_w
from flwr.app import ConfigRecord, MetricRecord, RecordDict
from flwr.app.message import make_message
from flwr.app.metadata import Metadata
from flwr.common.serde import message_to_proto
from flwr.proto.fleet_pb2 import PullMessagesRequest, PullMessagesResponse, PushMessagesRequest, PushMessagesResponse
from flwr.proto.node_pb2 import Node
from flwr.supercore.inflatable.inflatable_object import get_all_nested_objects, get_object_tree

from chordsim.deploy.deployment import deployment, wait_for
from chordsim.flower.sizes import size_of
from chordsim.ledger.parquet import read_ledger

APP = Path(__file__).resolve().parents[3] / "examples" / "flower_app"
ROUNDS, TASK = 3, 2**63 - 1
#: One number for the seconds that the app took, in each push.
RUNTIME_BYTES = 10
IDEAL = '# Nothing is lost?\nmethods = ["fp32"]\n[data]\nsource = "synthetic"\n[population]\nera = "2025"\n'


def contents(arrays: Any, kind: str) -> tuple[RecordDict, RecordDict]:
    """Return what the example app sends down and up; numbers have the same size whatever they are."""
    metrics = ("train_loss",) if kind == "train" else ("eval_loss", "eval_acc")
    up = {"metrics": MetricRecord({**dict.fromkeys(metrics, 0.5), "num-examples": 64})}
    config = {"lr": 0.1, "server-round": 1} if kind == "train" else {"server-round": 1}
    return RecordDict({"arrays": arrays, "config": ConfigRecord(config)}), RecordDict({"arrays": arrays, **up} if kind == "train" else up)


def told(content: RecordDict, **fields: Any) -> tuple[Any, Any, Any, int]:
    """Return a message, its bare proto, its object tree, and the bytes of its objects as they are with these ids."""
    message = make_message(metadata=Metadata(message_id="", group_id="", created_at=1.7e9, ttl=43e3, **fields), content=content)
    message.metadata.__dict__["_message_id"] = message.object_id
    bare = message_to_proto(make_message(metadata=message.metadata, content=RecordDict()))
    return message, bare, get_object_tree(message), sum(len(part.deflate()) for part in get_all_nested_objects(message).values())


@pytest.mark.slow
def test_a_superlink_counts_the_ledgers_bytes(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(APP))
    from flwr.app import ArrayRecord
    from quickstart.task import Net

    scenario, out, app = tmp_path / "ideal.toml", tmp_path / "run", tmp_path / "app"
    scenario.write_text(IDEAL)
    shutil.copytree(APP, app, ignore=shutil.ignore_patterns("__pycache__"))
    with deployment(tmp_path / "link") as made:
        made.add_nodes(3)
        config = tmp_path / "config.toml"
        config.write_text(tomli_w.dumps({"scenario": str(scenario), "out": str(out), "num-server-rounds": ROUNDS}))
        run, found = made.flower.run(app, config), {}

        def finished() -> bool:
            found.update(made.flower.state(run))
            return str(found["status"]).startswith("finished")

        wait_for(finished, "the run", 900)
    assert found["status"] == "finished:completed"
    ledger, nodes = read_ledger(out), pd.read_parquet(out / "devices.parquet")["node_id"].astype("uint64").tolist()
    down = up = 0
    objects, counted = {"down": 0, "up": 0}, {"down": 0, "up": 0}
    arrays, ids = ArrayRecord(Net().state_dict()), {"run_id": int(run)}
    for node in nodes:
        for kind in ("train", "evaluate"):
            sent, answered = contents(arrays, kind)
            there = {"src_node_id": 1, "dst_node_id": node, "reply_to_message_id": "", "message_type": kind, "src_task_id": TASK}
            message, bare, tree, size = told(sent, **ids, **there)
            back = {"src_node_id": node, "dst_node_id": 1, "reply_to_message_id": message.object_id, "message_type": kind}
            reply, bare_reply, tree_reply, size_reply = told(answered, **ids, **back, dst_task_id=TASK)
            pushed = PushMessagesRequest(node=Node(node_id=node), messages_list=[bare_reply], message_object_trees=[tree_reply])
            wanted = PushMessagesResponse(objects_to_push=list(get_all_nested_objects(reply)), session_id="0" * 36)
            wanted.results[reply.object_id], wanted.reconnect.reconnect = 0, 5
            pulled = PullMessagesResponse(messages_list=[bare], message_object_trees=[tree])
            down += ROUNDS * (size + pulled.ByteSize() + wanted.ByteSize())
            up += ROUNDS * (size_reply + pushed.ByteSize() + RUNTIME_BYTES + PullMessagesRequest(node=Node(node_id=node)).ByteSize())
            for way, whole, mine in (("down", size, size_of(message).whole), ("up", size_reply, size_of(reply).whole)):
                objects[way] += ROUNDS * whole
                counted[way] += ROUNDS * mine
    messages = 2 * ROUNDS * len(nodes)
    assert {way: int(ledger[f"{way}_bytes"].sum()) for way in counted} == counted
    # Ids that Flower draws take nine bytes or ten; the ledger counts nine of each.
    slack = 4 * messages
    assert all(abs(objects[way] - counted[way]) <= slack for way in objects)
    assert abs(found["network-traffic"]["outbound-bytes"] - down) <= slack
    assert abs(found["network-traffic"]["inbound-bytes"] - up) <= slack
