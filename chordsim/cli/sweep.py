"""`chordsim sweep`: a grid of runs, resumable, with one table and one page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from chordsim.cli.options import ScenarioArgument, SeedOption, SetOption


def sweep(
    scenario: ScenarioArgument,
    over: Annotated[list[str] | None, typer.Option("--over", metavar="KEY=A,B,C", help="A key and its values; may be repeated.")] = None,
    seeds: Annotated[int, typer.Option(min=1, help="How many seeds, counted up from the first.")] = 1,
    overrides: SetOption = None,
    seed: SeedOption = None,
    engine: Annotated[Literal["inprocess", "ray"] | None, typer.Option(help="What carries the work.")] = None,
    workers: Annotated[int | None, typer.Option(min=0, help="Worker processes; 0 is one per core.")] = None,
    out: Annotated[Path | None, typer.Option(help="The sweep's folder; by default sweeps/NAME.")] = None,
) -> None:
    """Run a scenario over every combination of values and seeds, or over seeds alone.

    Run the same command again to go on after an interruption.
    SCENARIO is a shipped name (see chordsim scenarios) or the path of a TOML file.
    """
    from chordsim.sweep.costs import energy_line
    from chordsim.sweep.over_seeds import TABLE as OVER_SEEDS
    from chordsim.sweep.sweep import PAGE
    from chordsim.sweep.sweep import sweep as swept
    from chordsim.sweep.tidy import TABLE_CSV, mixed
    from chordsim.sweep.words import ending
    from chordsim.sweep.words import over as over_what
    from chordsim.terminal import Terminal, screen

    with Terminal() as progress:
        found = swept(
            scenario,
            over or (),
            seeds=seeds,
            seed=seed,
            overrides=overrides or (),
            engine=engine,
            workers=workers,
            out=out,
            progress=progress,
        )
    kept = found.table["run"].nunique() - found.redone
    console = screen()
    console.print(ending(found.means, found.keys))
    told = [
        f"{(words := over_what(found.means))[:1].upper()}{words[1:]}.",
        *dict.fromkeys(m.said for m in found.means if m.difference is not None),
    ]
    told += [words for words in (energy_line(found.means), mixed(found.table)) if words]
    told += [f"{found.redone} runs done, {kept} were there", f"table: {found.path / TABLE_CSV}"]
    console.print(
        "\n".join([*told, f"over seeds: {found.path / OVER_SEEDS}", f"page: {found.path / PAGE}"]),
        highlight=False,
        markup=False,
        soft_wrap=True,
    )
