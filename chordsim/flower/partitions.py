"""Flower Datasets as the source of what each phone holds: one partition a phone, prepared once in a process whoever asks first.

A `FederatedDataset` of one's own works in an app as it does elsewhere. It prepares itself when it is first asked, though, which
threads that run many phones do at once; here one of them does it and the others wait. Everything that draws is the partitioner's
own, by its ``seed``; what Flower's `FederatedDataset` draws, the order of rows, is drawn for a dataset that is here where the
partitioner promises a random one.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from chordsim.arrays import Ints
from chordsim.errors import UserError

if TYPE_CHECKING:
    from datasets import Dataset
    from flwr_datasets.partitioner import Partitioner

_HOW = "pip install 'chordsim[datasets]' brings it"
_SHUFFLED_BY = 42  # the seed of FederatedDataset, which shuffles what comes from the hub


class Partitions:
    """A dataset cut by one of Flower's partitioners. Make it once, in the app's module: ``PARTITIONS = Partitions(...)``."""

    def __init__(self, partitioner: Partitioner, dataset: Dataset | str, split: str = "train", **load: Any) -> None:
        """Prepare; nothing is read yet.

        Args:
            partitioner: Any of ``flwr_datasets.partitioner``, with a seed of its own.
            dataset: A dataset that is here, or the name under which Hugging Face's hub has it. Its rows are taken in their order, but
                for an ``IidPartitioner``, which says that it samples and cuts slices in the order of rows: it gets them shuffled,
                as ``FederatedDataset`` does with all that comes from the hub.
            split: Of a dataset on the hub.
            load: Further arguments of ``FederatedDataset``.

        Raises:
            UserError: Arguments for the hub with a dataset that is here.
        """
        if load and not isinstance(dataset, str):
            raise UserError(f"Partitions: {min(load)} goes with the name of a dataset on the hub")
        self._partitioner, self._dataset, self._split, self._load = partitioner, dataset, split, load
        self._lock = threading.Lock()
        self._ready = False

    def __len__(self) -> int:
        """Return how many partitions there are."""
        with self._lock:
            return int(self._prepared().num_partitions)

    def of(self, node_config: Mapping[str, Any]) -> Dataset:
        """Return the partition of a node by its ``context.node_config``.

        Raises:
            UserError: It tells no partition, or one that there is not.
        """
        return self.load(node_config.get("partition-id"))

    def load(self, partition: Any) -> Dataset:
        """Return one partition by its number, from 0.

        Raises:
            UserError: There is none of this number, or Flower Datasets is not installed.
        """
        with self._lock:
            made = self._prepared()
            if isinstance(partition, bool) or not isinstance(partition, int) or not 0 <= partition < made.num_partitions:
                raise UserError(
                    f"partition-id = {partition}: there are {made.num_partitions} partitions, from 0: give the grid as many nodes"
                )
            return made.load_partition(partition)

    def sizes(self) -> Ints:
        """Return the number of examples of each partition, [partitions]: what a `PhoneCost` multiplies."""
        return np.array([len(self.load(n)) for n in range(len(self))], np.int64)

    def _prepared(self) -> Partitioner:
        """Return the partitioner with its dataset in place and its cuts made."""
        if not self._ready:
            dataset = self._dataset
            if isinstance(dataset, str):
                dataset = _from_hub(dataset, self._split, self._load)
            elif _is_iid(self._partitioner):
                dataset = dataset.shuffle(seed=_SHUFFLED_BY)
            if not self._partitioner.is_dataset_assigned():
                self._partitioner.dataset = dataset
            self._ready = True
        return self._partitioner


def _is_iid(partitioner: Partitioner) -> bool:
    from flwr_datasets.partitioner import IidPartitioner

    return isinstance(partitioner, IidPartitioner)


def _from_hub(name: str, split: str, load: Mapping[str, Any]) -> Dataset:
    try:
        from flwr_datasets import FederatedDataset
    except ImportError as error:
        raise UserError(f"dataset {name!r}: Flower Datasets is not installed: {_HOW}") from error
    return FederatedDataset(dataset=name, partitioners={split: 1}, **load).load_split(split)
