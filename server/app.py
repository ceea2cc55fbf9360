"""The Flower ServerApp: the cloud of one run, driven by whatever grid it is given."""

from __future__ import annotations

import os
from pathlib import Path

from flwr.app import Context
from flwr.serverapp import Grid, ServerApp

from chordsim.engine.grid import GridCarrier
from chordsim.errors import UserError
from chordsim.progress import CURRENT
from chordsim.scenario.load import load
from server import rounds
from server.resume import Resume

app = ServerApp()
#: Calls that one node may have at once where the grid does not say how many workers it has.
CELLS_PER_NODE = 1


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Run the scenario that the run config names; its keys are absolute paths."""
    config = context.run_config
    scenario_path = str(config.get("scenario", ""))
    if not scenario_path:
        raise UserError('run config: set scenario to a shipped name or an absolute path, as in --run-config scenario="quickstart"')
    if config.get("data-root"):
        os.environ["CHORDSIM_DATA"] = str(config["data-root"])
    seed = int(config.get("seed", 0)) or None
    scenario = load(scenario_path, seed=seed)
    out = str(config.get("out", ""))
    carrier = GridCarrier(grid, cells_per_node=CELLS_PER_NODE, timeout_s=scenario.engine.timeout_s)
    resume = Resume(bool(config.get("allow-drift", False))) if config.get("resume", False) else None
    rounds.run(scenario, Path(out) if out else None, carrier, CURRENT.get(), resume)
