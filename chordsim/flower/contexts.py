"""The context of a node of anybody's client app, as Flower's simulation makes it."""

from __future__ import annotations

from collections.abc import Mapping

from flwr.app import Context, RecordDict

from chordsim.engine.grid import RUN_ID

Config = Mapping[str, bool | float | int | str]


def context_of(node: int, partition: int, partitions: int, run_config: Config | None) -> Context:
    """Return a node's context, as Flower's simulation makes it."""
    config: dict[str, bool | float | int | str] = {"partition-id": partition, "num-partitions": partitions}
    return Context(run_id=RUN_ID, node_id=node, node_config=config, state=RecordDict(), run_config=dict(run_config or {}))
