"""Apps and nodes that misbehave: what they do fails their own phone, is counted, and the run goes on."""

from __future__ import annotations

import json
import logging

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, ConfigRecord, Message, RecordDict
from flwr.clientapp import ClientApp

from chordsim.engine import codec
from chordsim.engine.node import answer_encoded
from chordsim.errors import UserError
from chordsim.flower import PhoneGrid
from chordsim.flower.contexts import context_of
from chordsim.flower.engines import PhonesInProcess
from chordsim.ledger.parquet import read_ledger


class Odd(PhonesInProcess):
    """Lets a test change what a node's replies become."""

    def __init__(self, nodes, change):
        app = ClientApp()
        app.train()(lambda message, context: Message(message.content, reply_to=message))
        super().__init__(app, nodes)
        self.change = change

    def deliver(self, messages, timeout):
        for reply in super().deliver(messages, timeout):
            yield from self.change(reply)


def forged(reply, **fields):
    for name, value in fields.items():
        reply.metadata.__dict__[f"_{name}"] = value
    return reply


def only_node(node, change):
    return lambda reply: change(reply) if reply.metadata.src_node_id == node else [reply]


def play(grid, scenario, out, **kwargs):
    content = RecordDict({"arrays": ArrayRecord({"w": Array(np.ones(10, np.float32))})})
    with PhoneGrid(grid, scenario, out, **kwargs) as phones:
        messages = [Message(content, dst_node_id=node, message_type="train") for node in phones.get_node_ids()]
        replies = phones.send_and_receive(messages)
    ledger = read_ledger(out).set_index("device_id")
    return [reply.metadata.src_node_id for reply in replies], ledger["outcome"].to_dict(), json.loads((out / "manifest.json").read_text())


@pytest.mark.parametrize(
    ("change", "note"),
    [
        (lambda reply: [], None),
        (lambda reply: [forged(reply, reply_to_message_id="nobody")], "replies to nobody"),
        (lambda reply: [forged(reply, src_node_id=3)], "replies in another node's name"),
    ],
    ids=["no answer", "to nobody", "for another node"],
)
def test_a_phone_without_an_answer_of_its_own_fails(ideal, tmp_path, change, note):
    heard, outcome, manifest = play(Odd(3, only_node(2, change)), ideal, tmp_path / "run")
    assert heard == [3, 4] and outcome == {0: "failed", 1: "served", 2: "served"}
    assert manifest["status"] == "degraded" and manifest["ledger_sha256"] is None and "phone 0" in manifest["errors"][0]
    assert note is None or manifest["quarantine"]["1"] == {note: 1}


def test_flowers_log_tells_where_the_run_is_and_what_went_wrong(ideal, tmp_path, monkeypatch):
    told = []
    monkeypatch.setattr(logging.getLogger("flwr"), "handle", lambda record: told.append((record.levelname, record.getMessage())))
    out = tmp_path / "run"
    _, _, manifest = play(Odd(3, only_node(2, lambda reply: [])), ideal, out)
    assert ("WARNING", f"run directory: {out} (degraded: {manifest['errors'][0]})") in told
    told.clear()
    play(Odd(3, lambda reply: [reply]), ideal, tmp_path / "whole")
    assert ("INFO", f"run directory: {tmp_path / 'whole'} (complete)") in told
    with pytest.raises(UserError, match=r"holds an earlier run: choose another folder \(a Flower app's run is not continued\)$"):
        PhoneGrid(Odd(3, list), ideal, out)


def test_a_second_answer_is_set_aside(ideal, tmp_path):
    heard, outcome, manifest = play(Odd(2, only_node(2, lambda reply: [reply, reply])), ideal, tmp_path / "run")
    assert heard == [2, 3] and set(outcome.values()) == {"served"}
    assert manifest["quarantine"]["1"] == {"second replies to one message": 1} and manifest["status"] == "complete"


def test_an_app_that_raises_fails_its_phone_and_the_app_hears_it(ideal, tmp_path):
    app = ClientApp()

    @app.train()
    def train(message, context):
        if context.node_config["partition-id"] == 1:
            raise ValueError("no data\nhere")
        return Message(message.content, reply_to=message)

    heard, outcome, manifest = play(PhonesInProcess(app, 3), ideal, tmp_path / "run")
    assert heard == [2, 3, 4] and outcome == {0: "served", 1: "failed", 2: "served"}
    assert "ValueError: no data here" in manifest["errors"][0]


def test_numbers_that_are_none_pass_and_are_told(ideal, tmp_path):
    def change(reply):
        reply.content = RecordDict({"arrays": ArrayRecord({"w": Array(np.full(10, np.nan, np.float32))})})
        return [reply]

    heard, outcome, manifest = play(Odd(2, only_node(2, change)), ideal, tmp_path / "run")
    assert heard == [2, 3] and manifest["quarantine"]["1"] == {"replies with arrays that are not finite": 1}


def test_a_reply_that_is_too_large_fails_its_phone(ideal, tmp_path):
    def change(reply):
        reply.content = RecordDict({"arrays": ArrayRecord({"w": Array(np.zeros(5000, np.float32))})})
        return [reply]

    heard, outcome, manifest = play(Odd(2, only_node(2, change)), ideal, tmp_path / "run", most_bytes=10_000)
    assert heard == [3] and outcome[0] == "failed" and "larger than 10,000" in manifest["errors"][0]


def test_a_reply_of_100_mb_passes_and_every_byte_is_counted(ideal, tmp_path):
    def change(reply):
        reply.content = RecordDict({"arrays": ArrayRecord({"w": Array(np.arange(25_000_000, dtype=np.float32))})})
        return [reply]

    heard, outcome, manifest = play(Odd(2, only_node(2, change)), ideal, tmp_path / "run")
    ledger = read_ledger(tmp_path / "run").set_index("device_id")
    assert heard == [2, 3] and set(outcome.values()) == {"served"} and manifest["status"] == "complete"
    assert 100_000_000 < ledger.loc[0, "up_bytes"] < 100_010_000
    assert ledger.loc[0, "upload_s"] > 100 * ledger.loc[1, "upload_s"]


@pytest.mark.parametrize("told", [2**64, -(2**63) - 1, "\ud800"], ids=["above 64 bits", "below 64 bits", "lone surrogate"])
def test_a_reply_that_flower_cannot_encode_fails_its_phone(ideal, tmp_path, told):
    def change(reply):
        reply.content = RecordDict({"told": ConfigRecord({"x": told})})
        return [reply]

    heard, outcome, manifest = play(Odd(2, only_node(2, change)), ideal, tmp_path / "run")
    assert heard == [2, 3] and outcome == {0: "failed", 1: "served"}
    assert "phone 0: error 2: its reply cannot be encoded" in manifest["errors"][0]


def test_an_error_whose_text_cannot_be_encoded_fails_its_phone(ideal, tmp_path):
    app = ClientApp()

    @app.train()
    def train(message, context):
        raise FileNotFoundError("no file \udcff")

    heard, outcome, manifest = play(PhonesInProcess(app, 1), ideal, tmp_path / "run")
    assert heard == [2] and outcome == {0: "failed"} and "UnicodeEncodeError" in manifest["errors"][0]


def test_a_worker_answers_for_its_neighbours_though_a_reply_cannot_be_encoded():
    app = ClientApp()

    @app.train()
    def train(message, context):
        told = 2**64 if context.node_config["partition-id"] == 0 else 1
        return Message(RecordDict({"told": ConfigRecord({"x": told})}), reply_to=message)

    PhonesInProcess(app, 2)
    answers = []
    for node in (2, 3):
        message = Message(RecordDict(), dst_node_id=node, message_type="train")
        data = answer_encoded(app, codec.encode(message)[0], context_of(node, node - 2, 2, None))
        answers.append(codec.decode(data))
    assert answers[0].has_error() and "cannot be encoded: ValueError" in answers[0].error.reason
    assert answers[1].content["told"]["x"] == 1


def test_nodes_that_do_not_exist_are_never_asked(ideal, tmp_path):
    with PhoneGrid(Odd(2, lambda reply: [reply]), ideal, tmp_path / "run") as phones:
        messages = [Message(RecordDict(), dst_node_id=node, message_type="train") for node in (2, 99)]
        assert len(phones.send_and_receive(messages)) == 1
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert manifest["quarantine"]["1"] == {"messages to nodes that do not exist": 1}
    assert len(read_ledger(tmp_path / "run")) == 1
