"""`chordsim forecast`: what a scenario will cost, tier by tier, before anything is trained."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from chordsim.cli.options import ScenarioArgument, SeedOption, SetOption


def forecast(
    scenario: ScenarioArgument = "quickstart",
    overrides: SetOption = None,
    seed: SeedOption = None,
    by: Annotated[str, typer.Option("--by", metavar="COLUMN", help="tier, or a further column of population.csv.")] = "tier",
    csv: Annotated[Path | None, typer.Option("--csv", metavar="FILE", help="Write a line per method and group: who is left out.")] = None,
    json_path: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write all numbers.")] = None,
) -> None:
    """Forecast bytes, seconds, joules and refusals per tier, each with a range that holds nine runs of ten. Trains nothing.

    With --by, phones are grouped by another column of their file, such as country or model.

    SCENARIO is a shipped name (see chordsim scenarios) or the path of a TOML file.
    """
    import json

    from chordsim.files import atomic_write
    from chordsim.forecast.predict import as_json
    from chordsim.forecast.predict import forecast as predict
    from chordsim.forecast.printed import energy_line, fleet_table, forecast_table
    from chordsim.forecast.sheet import write_sheet
    from chordsim.scenario.load import load
    from chordsim.sized import sized_world
    from chordsim.terminal import Terminal, screen

    resolved = load(scenario, overrides or (), seed)
    with Terminal() as progress:
        world = sized_world(resolved, progress)
        predicted = predict(world, by)
    console = screen()
    for line in world.population.notes:
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    console.print(forecast_table(predicted, by))
    console.print(fleet_table(predicted))
    if energy := energy_line(predicted):
        console.print(energy, highlight=False, markup=False, soft_wrap=True)
    if csv is not None:
        for line in write_sheet(csv, predicted, world.population, by):
            console.print(line, highlight=False, markup=False, soft_wrap=True)
        console.print(f"sheet written to {csv}", highlight=False, markup=False, soft_wrap=True)
    if json_path is not None:
        atomic_write(json_path, (json.dumps(as_json(predicted), indent=2) + "\n").encode())
        console.print(f"forecast written to {json_path}", highlight=False, markup=False, soft_wrap=True)
