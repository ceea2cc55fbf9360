"""Metrics of a finished run as a frame, taken from its ledger and the data that it played."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from chordsim.errors import UserError
from chordsim.files import read_json
from chordsim.metrics.measure import measure
from chordsim.metrics.spec import MetricSpec, find, need_lists
from chordsim.scenario.load import load
from chordsim.scenario.text import dump
from chordsim.world import of_text


def measured(run: Path, metrics: Sequence[str | MetricSpec]) -> pd.DataFrame:
    """Return one line per method and metric: ``mean``, ``low``, ``high``, ``users``.

    Args:
        run: A run directory.
        metrics: Names of registered metrics, or specs.

    Raises:
        UserError, ScenarioError: Not a run, no such metric, or one whose lists the run did not keep.
        RunError: A damaged ledger, a metric that fails, or data that are not those of the run.
    """
    path = run / "scenario.toml"
    if not path.is_file():
        raise UserError(f"{run}: not a run directory: no scenario.toml in it")
    scenario = load(path)
    specs = [find(metric) if isinstance(metric, str) else metric for metric in metrics]
    for spec in specs:
        need_lists(spec, scenario.protocol)
    world = of_text(dump(scenario), str(read_json(run / "manifest.json").get("data", {}).get("digest", "")))
    found = measure(run, specs, scenario.protocol.cuts, world.popularity, world.split.log.n_users, scenario.seed)
    rows = []
    for method, estimates in found.items():
        for label, one in estimates.items():
            low, high = one.ci95 or (None, None)
            rows.append({"method": method, "metric": label, "mean": one.mean, "low": low, "high": high, "users": one.users})
    frame = pd.DataFrame(rows, columns=["method", "metric", "mean", "low", "high", "users"])
    return frame.astype(dict.fromkeys(("mean", "low", "high"), float))
