"""Flower's own simulation engine (`flwr.simulation`, backend ray): one phone per client, and carrying chordsim's cells."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from flwr.app import ConfigRecord, Context, Message, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp
from flwr.simulation import run_simulation

from benchmarks.throughput import flower_phone
from benchmarks.throughput.kinds.cells import COMMON, TIMEOUT_S, measure
from benchmarks.throughput.turns import Turns
from benchmarks.throughput.work import CHUNK, prepare
from chordsim.engine.grid import GridCarrier
from chordsim.engine.node import load_app
from chordsim.engine.start import CLIENT_APP
from chordsim.threads import pool

_NODES_S = 120.0


def phones(turns: Turns, workers: int = 2, phones: int = 1000, overrides: Sequence[str] = ()) -> None:
    """Measure one client per phone: a round is one message to every client."""
    total = -(-phones // CHUNK) * CHUNK
    with pool(workers) as threads:
        work = prepare(total, overrides, threads)
    frames = list(work.frames)[:phones]
    os.environ |= {flower_phone.PHONES: str(total), flower_phone.OVERRIDES: "\n".join(overrides), "OMP_NUM_THREADS": "1"}

    def serve(grid: Grid) -> None:
        nodes = _nodes(grid, phones)

        def once() -> dict[str, float]:
            began = time.perf_counter()
            messages = [
                Message(
                    RecordDict({"phone": ConfigRecord({"device": n, "frame": frame})}), dst_node_id=node, message_type=flower_phone.ACTION
                )
                for n, (node, frame) in enumerate(zip(nodes, frames, strict=True))
            ]
            replies = list(grid.send_and_receive(messages, timeout=TIMEOUT_S))
            seconds = time.perf_counter() - began
            lost = [reply.error.reason for reply in replies if reply.has_error()]
            if lost or len(replies) < phones:
                raise RuntimeError(f"{phones - len(replies) + len(lost)} of {phones} phones gave no answer: {lost[:1]}")
            place = {node: n for n, node in enumerate(nodes)}
            ranks = np.zeros(phones)
            for reply in replies:
                ranks[place[reply.metadata.src_node_id]] = reply.content.config_records["phone"]["rank"]
            return {"device_rounds_per_s": phones / seconds, "seconds": seconds, "rank_sum": ranks[:COMMON].sum()}

        once()
        turns.ready(phones=phones, clients=phones, flop_per_phone=work.flop_per_phone)
        for _ in turns:
            turns.result(**once())

    _simulate(serve, flower_phone.app, phones, workers)


def cells(turns: Turns, workers: int = 2, phones: int = 20_480, overrides: Sequence[str] = ()) -> None:
    """Measure Flower's engine with one client per worker, each of which plays a cell of phones."""
    with pool(workers) as threads:
        work = prepare(phones, overrides, threads)
    os.environ["OMP_NUM_THREADS"] = "1"

    def serve(grid: Grid) -> None:
        measure(turns, work, GridCarrier(grid, cells_per_node=1, timeout_s=TIMEOUT_S, await_nodes_s=_NODES_S))

    _simulate(serve, load_app(CLIENT_APP), workers, workers)


def _nodes(grid: Grid, wanted: int) -> list[int]:
    deadline = time.monotonic() + _NODES_S
    while len(nodes := sorted(grid.get_node_ids())) < wanted:
        if time.monotonic() > deadline:
            raise RuntimeError(f"{len(nodes)} of {wanted} Flower nodes came within {_NODES_S:g} s")
        time.sleep(0.2)
    return nodes


def _simulate(serve: Callable[[Grid], None], client_app: ClientApp, nodes: int, workers: int) -> None:
    app = ServerApp()

    @app.main()
    def main(grid: Grid, context: Context) -> None:
        serve(grid)

    with tempfile.TemporaryDirectory(prefix="bench-", dir="/tmp") as folder:  # noqa: S108 (Ray's sockets need a short path)
        init = {"num_cpus": workers, "num_gpus": 0, "include_dashboard": False, "log_to_driver": False, "_temp_dir": folder}
        backend: Any = {"client_resources": {"num_cpus": 1}, "init_args": init}
        run_simulation(app, client_app, nodes, backend_config=backend)
