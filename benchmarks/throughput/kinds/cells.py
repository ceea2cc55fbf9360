"""Cells of phones through chordsim's own engines: in process and on Ray."""

from __future__ import annotations

import time
from collections.abc import Sequence

from benchmarks.throughput.turns import Turns
from benchmarks.throughput.work import Work, prepare
from chordsim.engine.cell import Carrier
from chordsim.engine.grid import GridCarrier
from chordsim.engine.inprocess import InProcessGrid
from chordsim.engine.node import load_app
from chordsim.engine.start import CLIENT_APP
from chordsim.threads import pool

#: Ranks of these first phones are compared between all engines.
COMMON = 1000
TIMEOUT_S = 600.0
WARM_UPS = 2


def inprocess(turns: Turns, workers: int = 2, phones: int = 20_480, overrides: Sequence[str] = ()) -> None:
    """Measure the engine without worker processes."""
    work = _work(workers, phones, overrides)
    measure(turns, work, GridCarrier(InProcessGrid(load_app(CLIENT_APP), workers), cells_per_node=1, timeout_s=TIMEOUT_S))


def ray(turns: Turns, workers: int = 2, phones: int = 20_480, overrides: Sequence[str] = ()) -> None:
    """Measure the engine on a private Ray."""
    from chordsim.engine.ray import RayGrid

    work = _work(workers, phones, overrides)
    config = work.world.scenario.engine.model_copy(update={"kind": "ray", "workers": workers})
    with RayGrid(CLIENT_APP, config) as grid:
        measure(turns, work, GridCarrier(grid, cells_per_node=1, timeout_s=TIMEOUT_S))


def measure(turns: Turns, work: Work, carrier: Carrier) -> None:
    """Carry all cells once for each turn."""
    calls = work.calls(carrier.cells)
    for _ in range(WARM_UPS):
        work.exchange(carrier, calls)
    turns.ready(phones=work.ids.size, cells=len(calls), chunk_size=work.world.chunk_size, flop_per_phone=work.flop_per_phone)
    for _ in turns:
        began = time.perf_counter()
        ranks = work.exchange(carrier, calls)
        seconds = time.perf_counter() - began
        turns.result(device_rounds_per_s=ranks.size / seconds, seconds=seconds, rank_sum=ranks[:COMMON].sum())


def _work(workers: int, phones: int, overrides: Sequence[str]) -> Work:
    with pool(workers) as threads:
        return prepare(phones, overrides, threads)
