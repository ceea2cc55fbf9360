"""Whole rounds of a scenario as `chordsim run` plays them: plans, ranks, metrics and ledger included."""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import chordsim
from benchmarks.throughput.turns import Turns
from benchmarks.throughput.work import ML_1M, UNTRAINED
from chordsim.nets import footprint
from chordsim.nets.shapes import shapes_of
from chordsim.progress import Silent
from chordsim.scenario.load import load


class Clock(Silent):
    """Progress that notes when each round ended, counted from the begin of the rounds."""

    def __init__(self) -> None:
        self.began, self.ended = 0.0, list[float]()

    def start(self, title: str, total: int | None) -> None:
        """Note when the rounds begin."""
        if title == "rounds":
            self.began = time.perf_counter()

    def advance(self, steps: int = 1, note: str = "") -> None:
        """Note when a round ended."""
        if re.match(r"round \d+ ", note):
            self.ended.append(time.perf_counter())


def run(
    turns: Turns, overrides: Sequence[str] = (), scenario: str = "quickstart", engine: str = "inprocess", workers: int = 2,
    warm: int = 1, ray_nodes: Sequence[int] = (), untrained: bool = True,
) -> None:  # fmt: skip
    """Measure a scenario.

    Args:
        turns: Repetitions.
        overrides: Over the scenario's keys.
        scenario: A shipped name or a path.
        engine: Which engine.
        workers: How many workers.
        warm: Rounds at the begin that do not count: workers load the data in the first.
        ray_nodes: Processors of each node of a Ray cluster to make and join; none for the engine's own.
        untrained: ml-1m's shapes and an untrained cloud, in place of what the scenario says.
    """
    chosen = [*((*ML_1M, *UNTRAINED) if untrained else ()), *overrides]
    with _cluster(ray_nodes) as address, tempfile.TemporaryDirectory(prefix="bench-") as folder:
        resolved = load(scenario, chosen)
        shapes = shapes_of(resolved.backbone, resolved.data.synthetic.items)
        turns.ready(overrides=list(overrides), **({"flop_per_phone": 2 * footprint.dense_macs(shapes)} if untrained else {}))
        for number, _ in enumerate(turns):
            clock = Clock()
            began = time.perf_counter()
            out = Path(folder) / str(number)
            told = chordsim.run(
                scenario, overrides=chosen, engine=engine, workers=workers, ray_address=address, out=out, report=False, progress=clock
            )
            wall_s = time.perf_counter() - began
            summary = told.summary
            per_round = sum(m["device_rounds"] for m in summary["methods"].values()) / len(clock.ended)
            since = clock.ended[warm - 1] if warm else clock.began
            rate = per_round * (len(clock.ended) - warm) / (clock.ended[-1] - since)
            served = min(m["served_share"] for m in summary["methods"].values())
            train_s = float(summary["engine"]["train_s"])
            figures: dict[str, Any] = {
                "device_rounds_per_s": rate,
                "wall_s": wall_s,
                "after_training_s": wall_s - train_s,
                "train_s": train_s,
            }
            turns.result(**figures, device_rounds=per_round * len(clock.ended), served_share=served)


def _cluster(nodes: Sequence[int]) -> AbstractContextManager[str | None]:
    return _Cluster(nodes) if nodes else nullcontext()


class _Cluster:
    """A Ray cluster on this machine, one raylet per node."""

    def __init__(self, nodes: Sequence[int]) -> None:
        self._nodes = nodes

    def __enter__(self) -> str:
        from ray.cluster_utils import Cluster

        head, *others = self._nodes
        self._cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": head, "include_dashboard": False})
        for processors in others:
            self._cluster.add_node(num_cpus=processors)
        return str(self._cluster.address)

    def __exit__(self, *error: object) -> None:
        self._cluster.shutdown()
