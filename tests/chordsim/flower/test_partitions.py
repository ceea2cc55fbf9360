"""Flower Datasets as the source of partitions: every example on one phone, the same whoever asks first, and an app that trains on them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from flwr.app import Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

from chordsim.errors import UserError
from chordsim.flower import PhoneCost, PhoneGrid
from chordsim.flower.engines import PhonesInProcess
from chordsim.flower.partitions import Partitions
from chordsim.ledger.parquet import read_ledger

datasets = pytest.importorskip("datasets", reason="needs Flower Datasets: pip install 'chordsim[datasets]'")
partitioner = pytest.importorskip("flwr_datasets.partitioner", reason="needs Flower Datasets: pip install 'chordsim[datasets]'")

PHONES = 12


def made(**kwargs):
    data = datasets.Dataset.from_dict({"x": list(range(300)), "label": [n % 4 for n in range(300)]})
    cut = partitioner.DirichletPartitioner(PHONES, "label", alpha=0.7, min_partition_size=1, seed=3)
    return Partitions(cut, data, **kwargs)


def test_every_example_is_on_one_phone_whoever_asks_first():
    one, other = made(), made()
    assert len(one) == PHONES and one.sizes().sum() == 300
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda n: other.load(n)["x"], range(PHONES)))
    assert sorted(x for part in found for x in part) == list(range(300))
    assert [list(part) for part in found] == [list(one.load(n)["x"]) for n in range(PHONES)]


def test_phones_pay_for_the_examples_that_they_hold(ideal, tmp_path):
    partitions, app = made(), ClientApp()

    @app.train()
    def train(message, context):
        mine = partitions.of(context.node_config)
        metrics = MetricRecord({"num-examples": len(mine), "mean": sum(mine["x"]) / len(mine)})
        return Message(RecordDict({"metrics": metrics}), reply_to=message)

    cost = PhoneCost(macs_per_example=1000)
    with PhonesInProcess(app, PHONES) as nodes, PhoneGrid(nodes, ideal, tmp_path / "run", cost=cost) as grid:
        grid.send_and_receive([Message(RecordDict(), dst_node_id=node, message_type="train") for node in grid.get_node_ids()])
    assert (read_ledger(tmp_path / "run")["train_macs"] == 1000 * partitions.sizes()).all()


def test_what_there_is_not_is_told():
    for config in ({}, {"partition-id": PHONES}, {"partition-id": -1}):
        with pytest.raises(UserError, match=f"there are {PHONES} partitions"):
            made().of(config)
    with pytest.raises(UserError, match="subset goes with the name"):
        made(subset="a")
