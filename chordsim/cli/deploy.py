"""`chordsim deploy`: the same apps on a real SuperLink and SuperNodes on loopback."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from chordsim.cli.options import ScenarioArgument, SeedOption, SetOption


def deploy(
    scenario: ScenarioArgument,
    nodes: Annotated[int, typer.Option("--nodes", min=1, help="SuperNodes to start, one phone each.")],
    overrides: SetOption = None,
    seed: SeedOption = None,
    out: Annotated[Path | None, typer.Option(help="Run directory to make; by default the next free one under runs/.")] = None,
    logs: Annotated[Path | None, typer.Option(help="Folder that keeps the logs of all processes.")] = None,
) -> None:
    """Run a scenario on a real Flower SuperLink with N SuperNodes, one phone each, on this machine.

    TLS and node authentication are on. Keys are made for this run and removed after it, and every process is stopped.

    A round takes a minute or so, for Flower's processes ask one another every few seconds.

    docs/deployment.md tells how to do the same on real machines.
    """
    from chordsim.deploy.deploy import deploy as run
    from chordsim.ledger.energy_words import sensitivity
    from chordsim.report.terminal_tables import costs_table, final_table, fleet_table
    from chordsim.terminal import Terminal, screen

    console = screen()
    with Terminal() as progress:
        done = run(scenario, nodes=nodes, overrides=overrides or (), seed=seed, out=out, logs=logs, progress=progress)
    console.print(final_table(done.result.summary))
    console.print(costs_table(done.result.summary))
    console.print(fleet_table(done.result.summary))
    if energy := sensitivity({name: method.get("energy", {}) for name, method in done.result.summary["methods"].items()}):
        console.print(energy, highlight=False, markup=False, soft_wrap=True)
    for name, way in done.ways.items():
        console.print(
            f"{name}: ledger {way.ledger_bytes:,} B + beside it {way.beside_bytes:,} B + Flower {way.flower_bytes:,} B "
            f"({way.overhead_bytes:,.0f} B for each of {way.messages} messages) = what the SuperLink counted",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )
    console.print(f"run directory: {done.result.path}", highlight=False, markup=False, soft_wrap=True)
