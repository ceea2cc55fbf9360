"""Whole commands, from start to report: `chordsim run` of a checkout in a process of its own, with nothing trained beforehand."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.throughput.turns import Turns
from chordsim.data.places import data_folder

ENTRY = (
    "import sys; from importlib.metadata import entry_points; "
    "(entry,) = entry_points(group='console_scripts', name='chordsim'); sys.exit(entry.load()(sys.argv[1:]))"
)


def run(
    turns: Turns,
    scenario: str,
    overrides: Sequence[str] = (),
    root: str = ".",
    python: str = sys.executable,
    real_data: bool = False,
) -> None:
    """Measure ``chordsim run``.

    Args:
        turns: Repetitions; each gets an empty cache of trained models.
        scenario: A shipped name.
        overrides: Over the scenario's keys.
        root: The checkout that is run.
        python: Its interpreter.
        real_data: Whether the scenario reads data that are measured only where they lie already.
    """
    if real_data and data_folder() is None:
        turns.refuse("CHORDSIM_DATA is not set: real data are measured only where they lie already")
        return
    turns.ready(scenario=scenario, overrides=list(overrides))
    for _ in turns:
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            out = Path(folder) / "run"
            chosen = [part for text in overrides for part in ("--set", text)]
            environment = {**os.environ, "PYTHONPATH": root, "CHORDSIM_CACHE": str(Path(folder) / "models")}
            began, before_s = time.perf_counter(), _children_s()
            subprocess.run(
                [python, "-W", "ignore", "-c", ENTRY, "run", scenario, *chosen, "--out", str(out)], cwd=root, env=environment, check=True
            )
            wall_s, processor_s = time.perf_counter() - began, _children_s() - before_s
            summary = json.loads((out / "summary.json").read_text())
        engine, methods = summary["engine"], summary["methods"].values()
        turns.result(
            wall_s=wall_s,
            processor_s=processor_s,
            train_s=engine["train_s"],
            after_training_s=wall_s - engine["train_s"],
            device_rounds_per_s=engine["device_rounds_per_s"],
            command_peak_bytes=engine["peak_rss_bytes"],
            device_rounds=sum(int(m["device_rounds"]) for m in methods),
        )


def _children_s() -> float:
    """Return the processor time of all commands that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
