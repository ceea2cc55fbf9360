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


def in_order_of_labels(cut):
    return Partitions(cut, datasets.Dataset.from_dict({"x": list(range(400)), "label": [n // 100 for n in range(400)]}))


def test_an_iid_partition_is_a_sample_where_the_rows_are_in_order_of_labels():
    partitions = in_order_of_labels(partitioner.IidPartitioner(4))
    parts = [partitions.load(n) for n in range(4)]
    assert sorted(x for part in parts for x in part["x"]) == list(range(400))
    for part in parts:  # a hypergeometric draw: each label 25 of 100 times, +- 3.8
        assert all(5 < list(part["label"]).count(label) < 45 for label in range(4))


def test_who_cuts_by_user_or_by_size_gets_the_rows_in_their_order():
    for cut in (partitioner.NaturalIdPartitioner("label"), partitioner.SizePartitioner([100] * 4)):
        partitions = in_order_of_labels(cut)
        assert [list(partitions.load(n)["x"]) for n in range(4)] == [list(range(100 * n, 100 * n + 100)) for n in range(4)]
