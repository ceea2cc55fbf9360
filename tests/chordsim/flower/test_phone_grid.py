"""An unmodified Flower app on phones: what the clock lets through, what the ledger says of it, what the app sees."""

from __future__ import annotations

import csv
import gc
import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from flwr.app import ConfigRecord, Message, RecordDict
from flwr.clientapp import ClientApp

from chordsim.errors import ScenarioError, UserError
from chordsim.flower import PhoneCost, PhoneGrid, phone_mod
from chordsim.flower.engines import PhonesInProcess, run_apps
from chordsim.flower.message_size import exact_size, records_size, size_of
from chordsim.ledger.invariants import DOWN_PARTS, UP_PARTS
from chordsim.ledger.parquet import read_ledger
from chordsim.report import page
from chordsim.scenario.load import load


def manifest(run):
    return json.loads((run / "manifest.json").read_text())


def rounds(run):
    with open(run / "rounds.csv", newline="") as file:
        return list(csv.DictReader(file))


def ask(grid, node=2, kind="train", content=None, group="1"):
    message = Message(content or RecordDict({"config": ConfigRecord({"x": 1})}), dst_node_id=node, message_type=kind, group_id=group)
    return list(grid.send_and_receive([message]))


def echo():
    """Return an app that answers everything with what it got."""
    app = ClientApp()

    def same(message, context):
        return Message(message.content, reply_to=message)

    app.train()(same)
    app.evaluate()(same)
    return app


def test_ideal_phones_change_no_weight(apps, ideal, tmp_path):
    bare = apps.play(PhonesInProcess(apps.app, 6))
    with PhoneGrid(PhonesInProcess(apps.app, 6), ideal, tmp_path / "run") as grid:
        phones = apps.play(grid)
    assert all(torch.equal(bare[name], phones[name]) for name in bare)
    ledger = read_ledger(tmp_path / "run")
    assert (ledger["outcome"] == "served").all() and len(ledger) == 12


def test_weak_links_leave_their_marks_and_the_books_close(apps, weak, tmp_path):
    with PhoneGrid(PhonesInProcess(apps.app, 40), weak, tmp_path / "run", name="fedavg") as grid:
        apps.play(grid, rounds=3)
    ledger = read_ledger(tmp_path / "run")
    assert set(ledger["method"]) == {"flower:fedavg"} and len(ledger) == 120
    assert {"served", "dropped"} <= set(ledger["outcome"])
    for way, parts in (("down", DOWN_PARTS), ("up", UP_PARTS)):
        assert (ledger[list(parts)].sum(axis=1) == ledger[f"{way}_bytes"] + ledger[f"cut_{way}_bytes"]).all()
    served = ledger[ledger["outcome"] == "served"]
    assert (served["round_trips"] == 4).all() and (served["wasted_bytes"] == 0).all() and (served["total_s"] > 0).all()
    assert (ledger.loc[ledger["outcome"] == "dropped", "wasted_bytes"] > 0).all()
    lines = rounds(tmp_path / "run")
    assert [line["round"] for line in lines] == ["1", "2", "3"]
    assert all(0 <= float(line["metric_eval_acc"]) <= 1 and float(line["metric_train_loss"]) > 0 for line in lines)
    told = manifest(tmp_path / "run")
    assert told["status"] == "complete" and told["ledger_sha256"] and "random" in told["repeats"]


def test_the_same_app_gives_the_same_hash_and_another_seed_another(apps, weak, tmp_path):
    for place, seed in (("a", None), ("b", None), ("c", 9)):
        with PhoneGrid(PhonesInProcess(apps.app, 12), weak, tmp_path / place, seed=seed) as grid:
            apps.play(grid, rounds=1)
    a, b, c = (manifest(tmp_path / place)["ledger_sha256"] for place in "abc")
    assert a == b != c


def test_an_app_may_tell_what_its_server_found(apps, ideal, tmp_path):
    with PhoneGrid(PhonesInProcess(apps.app, 3), ideal, tmp_path / "run") as grid:
        apps.play(grid, rounds=2, evaluate_fn=lambda round, arrays: grid.tell(server_acc=round / 4))
        with pytest.raises(UserError, match="finite"):
            grid.tell(loss=float("nan"))
    assert [line["metric_server_acc"] for line in rounds(tmp_path / "run")] == ["0.25", "0.5"]


def test_report_reads_the_run(apps, weak, tmp_path):
    with PhoneGrid(PhonesInProcess(apps.app, 12), weak, tmp_path / "run") as grid:
        apps.play(grid)
    assert "flower:app" in page.write(tmp_path / "run").read_text()


def test_a_grid_that_nobody_holds_closes_its_ledger(apps, ideal, tmp_path):
    apps.play(PhoneGrid(PhonesInProcess(apps.app, 3), ideal, tmp_path / "run"), rounds=1)
    gc.collect()
    assert manifest(tmp_path / "run")["status"] == "complete"


def test_an_app_that_fails_leaves_a_failed_run(ideal, tmp_path):
    with pytest.raises(ZeroDivisionError), PhoneGrid(PhonesInProcess(echo(), 2), ideal, tmp_path / "run") as grid:
        ask(grid)
        raise ZeroDivisionError("the app's own")
    told = manifest(tmp_path / "run")
    assert told["status"] == "failed" and told["ledger_sha256"] is None and "the app's own" in told["errors"][-1]
    assert len(read_ledger(tmp_path / "run")) == 1


def test_bytes_are_those_of_flowers_objects(ideal, tmp_path):
    from flwr.supercore.inflatable.inflatable_object import get_all_nested_objects

    nodes = PhonesInProcess(echo(), 2)  # a grid tells Flower who makes messages
    content = RecordDict({"config": ConfigRecord({"plan": b"x" * 500, "n": 3})})
    message = Message(content, dst_node_id=2**63 - 2, message_type="train", group_id="1")
    message.metadata.__dict__["_run_id"] = message.metadata.__dict__["_src_task_id"] = 2**63 - 1
    objects = get_all_nested_objects(message)
    assert size_of(message).whole == sum(len(found.deflate()) for found in objects.values())
    with PhoneGrid(nodes, ideal, tmp_path / "run") as grid:
        ask(grid, content=content)
    row = read_ledger(tmp_path / "run").iloc[0]
    assert row["prescription_bytes"] == row["update_bytes"] == records_size(content).configs
    assert row["framing_down_bytes"] + row["prescription_bytes"] == size_of(message).whole


def contents():
    """Return dictionaries of records of many kinds: empty, large, twice the same, not NumPy's, with odd names."""
    from flwr.app import Array, ArrayRecord, MetricRecord

    draw = np.random.default_rng(5)
    layers = {f"layer.{n}": Array(draw.normal(size=(n + 1, 3)).astype(np.float32)) for n in range(4)}
    twice = {name: Array(np.zeros((2, 2))) for name in "ab"}
    large = {"big": Array(draw.integers(0, 255, 6 * 2**20, np.uint8))}
    metrics = MetricRecord({"num-examples": 3, "loss": 0.5, "list": [1.0, 2.0]})
    return [
        RecordDict(),
        RecordDict({"config": ConfigRecord()}),
        RecordDict({"arrays": ArrayRecord(layers), "metrics": metrics, "config": ConfigRecord({"ä": "ö", "b": [True], "c": b""})}),
        RecordDict({"one": metrics, "two": MetricRecord(dict(metrics)), "arrays": ArrayRecord(twice)}),
        RecordDict({"arrays": ArrayRecord(large)}),
        RecordDict({"arrays": ArrayRecord()}),
        RecordDict({"arrays": ArrayRecord({"raw": Array(dtype="bytes", shape=(3,), stype="raw", data=b"abc")})}),
        RecordDict({"a": ArrayRecord(layers), "b": ArrayRecord({"x": Array(np.arange(7))})}),
    ]


@pytest.mark.parametrize("content", contents(), ids=range(8))
def test_the_quick_count_is_the_exact_one(content):
    assert records_size(content) == exact_size(content)


def test_a_phone_that_is_away_or_cut_answers_as_an_absent_node(tmp_path):
    with PhoneGrid(PhonesInProcess(echo(), 60), load("one-day-around-the-world"), tmp_path / "day") as grid:
        errors = [ask(grid, node=node, group="1")[0] for node in grid.get_node_ids()]
    away = [reply for reply in errors if reply.has_error()]
    assert 0 < len(away) < 60 and {reply.error.code for reply in away} == {5}
    ledger = read_ledger(tmp_path / "day")
    assert (ledger["outcome"] == "offline").any()
    assert (ledger.loc[ledger["outcome"] == "offline", ["down_bytes", "up_bytes", "total_s"]] == 0).all().all()
    with PhoneGrid(PhonesInProcess(echo(), 1), load("weak-links", ["clock.loss=1"]), tmp_path / "cut") as grid:
        (reply,) = ask(grid)
        assert reply.has_error() and reply.error.code == 5
        assert ask(grid, kind="evaluate")[0].has_error()  # the connection is lost for the rest of the round
    (row,) = read_ledger(tmp_path / "cut").to_dict("records")
    assert row["outcome"] == "dropped" and row["cut_down_bytes"] + row["cut_up_bytes"] > 0


def test_a_late_phone_is_missing_and_its_bytes_are_waste(ideal, tmp_path):
    slow = load("weak-links", ["clock.loss=0", "clock.deadline_s=0.01"])
    with PhoneGrid(PhonesInProcess(echo(), 1), slow, tmp_path / "run") as grid:
        assert ask(grid) == [] and ask(grid, kind="evaluate") == []
    (row,) = read_ledger(tmp_path / "run").to_dict("records")
    assert row["outcome"] == "late" and row["wasted_bytes"] == row["down_bytes"] + row["up_bytes"] > 0 and row["round_trips"] == 2
    with PhoneGrid(PhonesInProcess(echo(), 1), ideal, tmp_path / "timeout") as grid:
        message = Message(RecordDict(), dst_node_id=2, message_type="train")
        assert grid.send_and_receive([message], timeout=0.001) == []


def test_over_selection_closes_at_the_quorum(tmp_path):
    scenario = load("weak-links", ["clock.loss=0", "clock.over_select=2.0", "clock.quorum=1.0"])
    with PhoneGrid(PhonesInProcess(echo(), 20), scenario, tmp_path / "run") as grid:
        messages = [Message(RecordDict(), dst_node_id=node, message_type="train") for node in grid.get_node_ids()]
        assert len(grid.send_and_receive(messages)) == 10
    outcomes = read_ledger(tmp_path / "run")["outcome"].value_counts()
    assert outcomes["served"] == outcomes["late"] == 10


def test_declared_costs_take_time_and_energy_and_refuse(ideal, tmp_path):
    metrics = echo()
    cost = PhoneCost(macs_per_example=10**9, peak_bytes=2_000_000)
    with PhoneGrid(PhonesInProcess(metrics, 30), load("weak-links", ["clock.loss=0"]), tmp_path / "run", cost=cost) as grid:
        from flwr.app import MetricRecord

        content = RecordDict({"metrics": MetricRecord({"num-examples": 7})})
        replies = [ask(grid, node=node, content=content)[0] for node in grid.get_node_ids()]
    ledger = read_ledger(tmp_path / "run").set_index("device_id")
    refused = ledger["outcome"] == "refused"
    assert refused.any() and not refused.all()
    assert (ledger.loc[refused, "down_bytes"] == 0).all() and (ledger.loc[refused, "refused_by"] == "cloud").all()
    assert {reply.error.code for reply in replies if reply.has_error()} == {6}
    ran = ledger[~refused]
    assert (ran["train_macs"] == 7 * 10**9).all() and (ran["compute_j"] > 0).all() and (ran["adapt_s"] > 0).all()
    assert np.allclose(ran["total_s"], ran["download_s"] + ran["adapt_s"] + ran["infer_s"] + ran["upload_s"])
    with pytest.raises(UserError, match="macs_per_example"):
        PhoneCost(macs_per_example=-1)


def test_the_mod_measures_and_is_never_payload(ideal, tmp_path):
    seen = []

    def measured(mods, place, cost):
        app = ClientApp(mods=mods)
        app.train()(lambda message, context: Message(message.content, reply_to=message))
        with PhoneGrid(PhonesInProcess(app, 1), ideal, tmp_path / place, cost=cost) as grid:
            seen.append(ask(grid)[0].content)
        return read_ledger(tmp_path / place).iloc[0], manifest(tmp_path / place)

    bare, _ = measured([], "bare", None)
    row, told = measured([phone_mod], "mod", PhoneCost.measured(host_macs_per_s=1e12))
    assert list(seen[0]) == list(seen[1]) == ["config"]
    assert row["up_bytes"] == bare["up_bytes"]
    assert row["train_macs"] > 0 and row["peak_memory_bytes"] > 2**20
    assert told["ledger_sha256"] is None and "measured" in told["repeats"]


def test_groups_are_rounds_and_a_phones_second_message_waits(ideal, tmp_path):
    with PhoneGrid(PhonesInProcess(echo(), 2), ideal, tmp_path / "run") as grid:

        def to(node, group, kind="train"):
            return Message(RecordDict(), dst_node_id=node, message_type=kind, group_id=group)

        replies = grid.send_and_receive([to(2, "a"), to(3, "b"), to(2, "a", "evaluate"), to(2, "a")])
        assert [reply.metadata.src_node_id for reply in replies] == [2, 3, 2, 2]
        ids = grid.push_messages([to(3, "c")])
        assert len(grid.pull_messages(ids)) == 1 and grid.pull_messages(ids) == []
    ledger = read_ledger(tmp_path / "run")
    assert ledger.groupby("round")["round_trips"].sum().tolist()[-1] == 2
    assert len(manifest(tmp_path / "run")["ledger_sha256"]) == 64


def test_more_phones_than_nodes_and_more_nodes_than_phones(ideal, tmp_path):
    with PhoneGrid(PhonesInProcess(echo(), 2), load("weak-links", ["population.devices=5"]), tmp_path / "few") as grid:
        ask(grid)
    assert manifest(tmp_path / "few")["nodes"] == {"with_a_phone": 2, "phones_without_a_node": 3}
    with pytest.raises(ScenarioError, match="population.devices = 2"):
        with PhoneGrid(PhonesInProcess(echo(), 3), load("weak-links", ["population.devices=2"]), tmp_path / "many") as grid:
            grid.get_node_ids()


def test_an_app_whose_own_module_is_called_server(tmp_path):
    (tmp_path / "server.py").write_text("NAME = 'the user own'\n")
    (tmp_path / "clients.py").write_text("from flwr.clientapp import ClientApp\napp = ClientApp()\n")
    (tmp_path / "main.py").write_text(
        "import sys, server, clients\n"
        "from chordsim.flower import PhoneGrid\n"
        "from chordsim.flower.engines import PhonesInProcess\n"
        "from flwr.app import Message, RecordDict\n"
        "clients.app.train()(lambda m, c: Message(m.content, reply_to=m))\n"
        "with PhoneGrid(PhonesInProcess(clients.app, 2), 'weak-links', 'run') as grid:\n"
        "    grid.send_and_receive([Message(RecordDict(), dst_node_id=2, message_type='train')])\n"
        "assert server.NAME == 'the user own'\n"
        "assert not [name for name in sys.modules if name.startswith(('server.', 'clients.'))]\n"
    )
    subprocess.run([sys.executable, "main.py"], cwd=tmp_path, check=True, timeout=300)


def test_apps_run_on_the_engine_as_flwr_run_runs_them(apps, ideal, tmp_path):
    result: dict[str, object] = {}
    run_apps(apps.server(result, lambda grid: PhoneGrid(grid, ideal, tmp_path / "run"), rounds=1), apps.app, 3)
    bare: dict[str, object] = {}
    run_apps(apps.server(bare, rounds=1), apps.app, 3)
    assert all(torch.equal(result["weights"][name], bare["weights"][name]) for name in bare["weights"])
    with pytest.raises(UserError, match="engine"):
        run_apps(apps.server(result), apps.app, 3, engine="other")
