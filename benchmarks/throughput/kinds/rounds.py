"""Whole rounds of a scenario as `chordsim run` plays them: plans, ranks, metrics and ledger included."""

from __future__ import annotations

import re
import shutil
import tempfile
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import chordsim
from benchmarks.throughput.turns import Turns
from benchmarks.throughput.work import EVERY_ITEM, ML_1M, UNTRAINED
from chordsim.api import RunResult
from chordsim.nets import footprint
from chordsim.nets.shapes import shapes_of
from chordsim.progress import Silent
from chordsim.scenario.load import load


class Clock(Silent):
    """Progress that notes when each round ended, and how much processor time process and main thread had taken by then."""

    def __init__(self) -> None:
        self.ended: list[tuple[float, float, float]] = []

    def start(self, title: str, total: int | None) -> None:
        """Note when the rounds begin, as the end of none."""
        if title == "rounds":
            self.ended.append(_now())

    def advance(self, steps: int = 1, note: str = "") -> None:
        """Note when a round ended."""
        if re.match(r"round \d+ ", note):
            self.ended.append(_now())


def _now() -> tuple[float, float, float]:
    return time.perf_counter(), time.process_time(), time.thread_time()


def run(
    turns: Turns,
    overrides: Sequence[str] = (),
    scenario: str = "quickstart",
    engine: str = "inprocess",
    workers: int = 2,
    warm: int = 1,
    ray_nodes: Sequence[int] = (),
    untrained: bool = True,
    report: bool = False,
) -> None:
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
        report: Make the report page as well.
    """
    chosen = [*((*ML_1M, *UNTRAINED, *EVERY_ITEM) if untrained else ()), *overrides]
    with _cluster(ray_nodes) as address, tempfile.TemporaryDirectory(prefix="bench-") as folder:
        resolved = load(scenario, chosen)
        shapes = shapes_of(resolved.backbone, resolved.data.synthetic.items)
        turns.ready(overrides=list(overrides), **({"flop_per_phone": 2 * footprint.dense_macs(shapes)} if untrained else {}))
        for number, _ in enumerate(turns):
            clock = Clock()
            began = time.perf_counter()
            out = Path(folder) / str(number)
            told = chordsim.run(
                scenario, overrides=chosen, engine=engine, workers=workers, ray_address=address, out=out, report=report, progress=clock
            )
            wall_s = time.perf_counter() - began
            turns.result(**_figures(told, clock, warm, wall_s))
            shutil.rmtree(out)


def _figures(told: RunResult, clock: Clock, warm: int, wall_s: float) -> dict[str, float]:
    """Return what a run took; rates and processor time are those of the rounds after ``warm``."""
    summary, rounds = told.summary, len(clock.ended) - 1
    methods = summary["methods"].values()
    in_all = sum(int(m["device_rounds"]) for m in methods)
    counted = in_all * (rounds - warm) / rounds
    seconds, processor_s, main_thread_s = (last - first for first, last in zip(clock.ended[warm], clock.ended[-1], strict=True))
    carried, train_s = summary["engine"].get("carried", {}), float(summary["engine"]["train_s"])
    ledger_bytes = sum(path.stat().st_size for path in (told.path / "ledger").rglob("*") if path.is_file())
    return {
        "device_rounds_per_s": counted / seconds,
        "processor_us_per_device_round": 1e6 * processor_s / counted,
        "main_thread_us_per_device_round": 1e6 * main_thread_s / counted,
        "wall_s": wall_s,
        "train_s": train_s,
        "after_training_s": wall_s - train_s,
        "device_rounds": in_all,
        "served_share": min(float(m["served_share"]) for m in methods),
        "users": summary["users"],
        "devices": summary["devices"],
        "carried_bytes_per_device_round": sum(v for name, v in carried.items() if name.startswith("records_")) / in_all,
        "ledger_bytes_per_row": ledger_bytes / in_all,
    }


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
        self._cluster.shutdown()  # type: ignore[no-untyped-call]
