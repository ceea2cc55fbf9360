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
    json_path: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write all numbers.")] = None,
) -> None:
    """Forecast bytes, seconds, joules and refusals per tier, each with a range that holds nine runs of ten. Trains nothing.

    SCENARIO is a shipped name (see chordsim scenarios) or the path of a TOML file.
    """
    import json

    from chordsim.files import atomic_write
    from chordsim.forecast.predict import as_json
    from chordsim.forecast.predict import forecast as predict
    from chordsim.forecast.printed import forecast_table
    from chordsim.scenario.load import load
    from chordsim.sized import sized_world
    from chordsim.terminal import Terminal, screen

    resolved = load(scenario, overrides or (), seed)
    with Terminal() as progress:
        predicted = predict(sized_world(resolved, progress))
    console = screen()
    console.print(forecast_table(predicted))
    if json_path is not None:
        atomic_write(json_path, (json.dumps(as_json(predicted), indent=2) + "\n").encode())
        console.print(f"forecast written to {json_path}", highlight=False, markup=False, soft_wrap=True)
