"""Cloud training: seconds per step, and seconds to the best validation, as the cloud half of a method trains."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence

from benchmarks.throughput.turns import Turns
from benchmarks.throughput.work import ML_1M
from chordsim import methods
from chordsim.data.places import data_folder
from chordsim.progress import Silent
from chordsim.scenario.load import load
from chordsim.scenario.text import dump
from chordsim.world import fresh

#: The scenario's key of how many steps are taken.
STEPS = "training.max_steps"


class Watch(Silent):
    """Progress that notes steps, and the best validation figure with when it came."""

    def __init__(self) -> None:
        self.began, self.steps, self.best, self.best_s = time.perf_counter(), 0, 0.0, 0.0

    def advance(self, steps: int = 1, note: str = "") -> None:
        """Count steps and read the validation figure out of the note."""
        self.steps += steps
        found = re.search(r"(?:NDCG@10|validation)\D*(\d\.\d+)", note)
        if found and float(found[1]) > self.best:
            self.best, self.best_s = float(found[1]), time.perf_counter() - self.began


def run(turns: Turns, method: str, data: str = "", steps: int = 100, overrides: Sequence[str] = ()) -> None:
    """Train anew for each turn, never from the cache.

    Args:
        turns: Repetitions.
        method: What is trained.
        data: A catalogue name; empty for synthetic users of ml-1m's shapes.
        steps: Steps at most.
        overrides: Over the scenario's keys.
    """
    source = (f'data.source="{data}"',) if data else ML_1M
    if data and data_folder() is None:
        turns.refuse("CHORDSIM_DATA is not set: real data are measured only where they lie already")
        return
    world = fresh(dump(load("quickstart", [*source, f'methods=["{method}"]', f"{STEPS}={steps}", *overrides], 1)))
    half = methods.load(world.specs[method].cloud)(world.context(method))
    turns.ready(method=method, data=data or "synthetic")
    for _ in turns:
        watch = Watch()
        state = half.train(world.logs, watch)
        seconds = time.perf_counter() - watch.began
        taken = max(watch.steps, 1)
        told = {"best_ndcg_10": watch.best, "to_best_s": watch.best_s} if watch.best else {}
        turns.result(seconds=seconds, steps=taken, ms_per_step=1e3 * seconds / taken, tensors=len(state), **told)
