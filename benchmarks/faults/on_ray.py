"""The same on Ray, where workers and the raylet can be killed too."""

from __future__ import annotations

import contextlib
import threading
from collections import Counter
from collections.abc import Iterator

import psutil

from benchmarks.faults.plan import Fault
from chordsim.config.model import EngineConfig
from chordsim.engine.ray import RayGrid

#: Seconds into an attempt, for a fault whose place is 1; most attempts are over within this.
_SPAN_S = 2.0
#: The Ray that is up, by its number of workers. It stays for the next attempt and seed, as starting one takes longer than playing a
#: seed; what is left of it when the driver itself is killed is tests/chordsim/test_watchdog.py's to see.
_UP: dict[int, RayGrid] = {}


@contextlib.contextmanager
def harassed(workers: int, fault: Fault | None, met: Counter[str]) -> Iterator[RayGrid]:
    """Yield a grid on Ray, one of whose processes is killed after a while if the fault says so."""
    grid, over = _grid(workers), threading.Event()

    def kill() -> None:
        if fault is None or fault.kind not in ("worker", "raylet") or over.wait(fault.part * _SPAN_S):
            return
        sign = "ray::Worker" if fault.kind == "worker" else "raylet"
        for process in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.Error):
                if " ".join(process.cmdline()).startswith(sign) or process.name() == sign:
                    process.kill()
                    met[fault.kind] += 1
                    return

    watcher = threading.Thread(target=kill)
    watcher.start()
    try:
        yield grid
    finally:
        over.set()
        watcher.join()


def close() -> None:
    """End the Ray that is up."""
    while _UP:
        _UP.popitem()[1].close()


def _grid(workers: int) -> RayGrid:
    """Return a grid of so many workers; each attempt may begin a lost Ray anew as often as a new process may."""
    if workers not in _UP:
        close()
        _UP[workers] = RayGrid("clients.app:app", EngineConfig(kind="ray", workers=workers)).__enter__()
    _UP[workers]._restarts = 0
    return _UP[workers]
