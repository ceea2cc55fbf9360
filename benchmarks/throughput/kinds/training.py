"""Cloud training: seconds per step, and seconds to the best validation, as the cloud half of a method trains."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence

from benchmarks.throughput.turns import Turns
from benchmarks.throughput.work import EVERY_ITEM, ML_1M
from chordsim import methods
from chordsim.data.places import data_folder
from chordsim.data.split import TrainLogs
from chordsim.errors import RunError
from chordsim.progress import Silent
from chordsim.scenario.load import load
from chordsim.scenario.text import dump
from chordsim.world import fresh
from server.training import cache

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


def run(turns: Turns, method: str, steps: int = 100, overrides: Sequence[str] = ()) -> None:
    """Train made-up users of ml-1m's shapes anew for each turn, never from the cache.

    Args:
        turns: Repetitions.
        method: What is trained.
        steps: Steps at most.
        overrides: Over the scenario's keys.
    """
    half, logs = _ready([*ML_1M, *EVERY_ITEM, f"{STEPS}={steps}", *overrides], method, "quickstart")
    turns.ready(method=method, data="synthetic")
    for _ in turns:
        _train(turns, lambda watch: half.train(logs, watch))


def to_best(turns: Turns, method: str, scenario: str) -> None:
    """Train as a shipped scenario says until validation stops improving, once; the model stays in the suite's `--cache`, for runs of it."""
    if data_folder() is None:
        turns.refuse("CHORDSIM_DATA is not set: real data are measured only where they lie already")
        return
    half, logs = _ready([], method, scenario)
    turns.ready(method=method, data=scenario)

    def train(watch: Watch) -> methods.State:
        state, found = cache.trained(half, logs, watch)
        if found:
            raise RunError(f"the model of {method} is in the cache already, so its training cannot be timed: give another --cache")
        return state

    for _ in turns:
        _train(turns, train)


def _ready(overrides: Sequence[str], method: str, scenario: str) -> tuple[methods.CloudHalf, TrainLogs]:
    world = fresh(dump(load(scenario, [f'methods=["{method}"]', *overrides], 1)))
    return methods.load(world.specs[method].cloud)(world.context(method)), world.logs


def _train(turns: Turns, train: Callable[[Watch], methods.State]) -> None:
    watch = Watch()
    state = train(watch)
    seconds = time.perf_counter() - watch.began
    taken = max(watch.steps, 1)
    told = {"best_ndcg_10": watch.best, "to_best_s": watch.best_s} if watch.best else {}
    turns.result(seconds=seconds, steps=taken, ms_per_step=1e3 * seconds / taken, tensors=len(state), **told)
