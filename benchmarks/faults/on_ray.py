"""The same on Ray, where workers and the raylet can be killed too."""

from __future__ import annotations

import contextlib
import threading
from collections import Counter
from collections.abc import Iterator

import psutil

from benchmarks.faults.plan import Fault, Plan
from chordsim.config.model import EngineConfig
from chordsim.engine.ray import RayGrid

#: Seconds into an attempt, for a fault whose place is 1.
_SPAN_S = 4.0


@contextlib.contextmanager
def harassed(plan: Plan, fault: Fault | None, met: Counter[str]) -> Iterator[RayGrid]:
    """Yield a grid on Ray, one of whose processes is killed after a while if the fault says so."""
    over = threading.Event()

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

    with RayGrid("clients.app:app", EngineConfig(kind="ray", workers=plan.workers)) as grid:
        watcher = threading.Thread(target=kill)
        watcher.start()
        try:
            yield grid
        finally:
            over.set()
            watcher.join()
