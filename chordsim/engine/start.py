"""Starting a run on one of chordsim's own engines: the two Flower apps, found by name, on a grid."""

from __future__ import annotations

import os
from typing import Any

from chordsim.config.model import Scenario
from chordsim.errors import UserError

SERVER_APP, CLIENT_APP = "server.app:app", "clients.app:app"


def start(scenario: Scenario, run_config: dict[str, Any], ray_address: str | None) -> None:
    """Run the server app against the client app.

    Args:
        scenario: Says which engine and how many workers.
        run_config: Keys of `[tool.flwr.app.config]`.
        ray_address: A Ray cluster that exists already; only with the Ray engine.

    Raises:
        UserError: An address without the Ray engine.
        RunError: The process has imported something else as `server` or `clients`.
    """
    os.environ.setdefault("FLWR_TELEMETRY_ENABLED", "0")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    from flwr.app import Context, RecordDict

    from chordsim.engine.grid import RUN_ID, SERVER_NODE
    from chordsim.engine.inprocess import InProcessGrid
    from chordsim.engine.node import load_app

    if ray_address is not None and scenario.engine.kind != "ray":
        raise UserError("--ray-address goes with --engine ray")
    server_app, client_app = load_app(SERVER_APP), load_app(CLIENT_APP)
    context = Context(run_id=RUN_ID, node_id=SERVER_NODE, node_config={}, state=RecordDict(), run_config=run_config)
    if scenario.engine.kind == "inprocess":
        server_app(InProcessGrid(client_app, scenario.engine.workers), context)
        return
    from chordsim.engine.ray import RayGrid

    with RayGrid(CLIENT_APP, scenario.engine, ray_address) as grid:
        server_app(grid, context)
