"""`chordsim flwr-env` and `chordsim flwr-stop`: what goes before and after `flwr run .`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

HomeOption = Annotated[Path | None, typer.Option("--home", metavar="DIR", help="Flower's home; FLWR_HOME or chordsim's cache by default.")]


def flwr_env(home: HomeOption = None) -> None:
    """Print the environment that `flwr run .` needs, as shell exports.

    Telemetry off, no reinstallation of dependencies for each run, and a home of its own for what Flower writes.
    """
    from chordsim.engine.flower_env import switches

    for name, value in switches(home).items():
        typer.echo(f"export {name}={shlex.quote(value)}")


def flwr_stop(home: HomeOption = None) -> None:
    """Stop the SuperLink that `flwr run .` leaves in the background, by its process id."""
    from chordsim.engine import flower_env

    where = flower_env.home(home)
    pids = flower_env.superlinks(where)
    for pid in pids:
        flower_env.stop(pid)
        typer.echo(f"stopped the SuperLink of {where} (process {pid})")
    if not pids:
        typer.echo(f"no SuperLink of {where} is running")
