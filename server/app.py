"""The Flower ServerApp: the cloud of one run, driven by whatever grid it is given."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flwr.app import Context
from flwr.serverapp import Grid, ServerApp

from chordsim.engine.grid import GridCarrier, LocalGrid
from chordsim.errors import ChordsimError, ScenarioError
from chordsim.files import read_json
from chordsim.progress import CURRENT, Progress
from chordsim.report.page import write_after_run
from chordsim.scenario.load import load
from chordsim.store.resume import Resume
from chordsim.terminal import Terminal
from server import rounds

app = ServerApp()
DEFAULT_SCENARIO = "quickstart"
#: Calls that one node may have at once.
CELLS_PER_NODE = 1
#: What a key of the run config must be; Flower takes any value that TOML has.
_KINDS: dict[str, tuple[type, str]] = {
    **dict.fromkeys(("scenario", "data-root", "out"), (str, "a text in quotes")),
    "seed": (int, "a whole number, 0 for the scenario's own"),
    **dict.fromkeys(("resume", "allow-drift", "report"), (bool, "true or false")),
}


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Run the scenario that the run config names; its keys are shipped names or absolute paths, empty for the default.

    Raises:
        ChordsimError: A user's mistake or a failed run.
    """
    if isinstance(grid, LocalGrid):
        _run(grid, context, CURRENT.get())
        return
    # A runtime of Flower's shows what the app prints; chordsim's own engines come with somewhere to report to.
    try:
        with Terminal(sys.stdout) as progress:
            path = _run(grid, context, progress)
    except ChordsimError as error:
        print(f"chordsim: error: {error}")
        raise
    print(f"run directory: {path.absolute()} ({read_json(path / 'manifest.json')['status']})")


def _check(config: Mapping[str, Any]) -> None:
    """Refuse values of another kind.

    Raises:
        ScenarioError: Names the first.
    """
    for key, (kind, what) in _KINDS.items():
        if key in config and type(config[key]) is not kind:
            raise ScenarioError(f"run config: {key} = {config[key]!r}: must be {what}")


def _run(grid: Grid, context: Context, progress: Progress) -> Path:
    config = context.run_config
    _check(config)
    if config.get("data-root"):
        os.environ["CHORDSIM_DATA"] = str(config["data-root"])
    scenario = load(str(config.get("scenario") or DEFAULT_SCENARIO), seed=int(config.get("seed", 0)) or None)
    out = str(config.get("out", ""))
    resume = Resume(bool(config.get("allow-drift", False))) if config.get("resume", False) else None
    progress.start("carrier", None)
    carrier = GridCarrier(grid, cells_per_node=CELLS_PER_NODE, timeout_s=scenario.engine.timeout_s)
    progress.done(grid.describe() if isinstance(grid, LocalGrid) else f"{carrier.report()['nodes']} Flower nodes")
    path = rounds.run(scenario, Path(out) if out else None, carrier, progress, resume)
    if config.get("report", True):
        write_after_run(path, progress)
    progress.start("workers", None)
    progress.done(f"the largest held {carrier.report()['worker_peak_rss_bytes'] / 2**20:,.0f} MiB")
    return path
