"""`chordsim forecast`: what a scenario will cost, tier by tier, before anything is trained; or a Flower app's run, by its first round."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from chordsim.cli.options import SeedOption, SetOption


def forecast(
    scenario: Annotated[
        str, typer.Argument(metavar="SCENARIO|RUN", help="A shipped name, a path, or the run directory of a Flower app.")
    ] = "quickstart",
    overrides: SetOption = None,
    seed: SeedOption = None,
    by: Annotated[str, typer.Option("--by", metavar="COLUMN", help="tier, or a further column of population.csv.")] = "tier",
    csv: Annotated[Path | None, typer.Option("--csv", metavar="FILE", help="Write a line per method and group: who is left out.")] = None,
    json_path: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write all numbers.")] = None,
    rounds: Annotated[int, typer.Option("--rounds", min=0, help="Of a Flower app's run: how many rounds; 0 is as many as it had.")] = 0,
) -> None:
    """Forecast bytes, seconds, joules and refusals per tier, each with a range that holds nine runs of ten. Trains nothing.

    With --by, phones are grouped by another column of their file, such as country or model.

    SCENARIO is a shipped name (see chordsim scenarios) or the path of a TOML file. RUN is the run directory of a Flower app
    (PhoneGrid): its first round's sizes tell so many rounds, on the phones, links and clock that --set gives.
    """
    from chordsim.cli.app_forecast import forecast_run
    from chordsim.errors import UserError
    from chordsim.forecast.binding import binding_shares, binding_table
    from chordsim.forecast.predict import as_json
    from chordsim.forecast.predict import forecast as predict
    from chordsim.forecast.printed import energy_line, fleet_table, forecast_table, rows_lines
    from chordsim.forecast.sheet import write_sheet
    from chordsim.ledger.energy_words import sensitivity
    from chordsim.scenario.load import load
    from chordsim.sized import sized_world
    from chordsim.terminal import Terminal, screen

    if Path(scenario).is_dir():
        seeded = [*(overrides or ()), *([f"seed={seed}"] if seed is not None else [])]
        found, table = forecast_run(Path(scenario), seeded, rounds, by, csv)
        screen().print(table)
        if energy := sensitivity({name: told.get("energy", {}) for name, told in found.items()}):
            screen().print(energy, highlight=False, markup=False, soft_wrap=True)
        _write(json_path, found)
        return
    if rounds:
        raise UserError("--rounds goes with the run of a Flower app; a scenario has rounds.count")
    resolved = load(scenario, overrides or (), seed)
    with Terminal() as progress:
        world = sized_world(resolved, progress)
        predicted = predict(world, by)
    console = screen()
    for line in world.population.notes:
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    console.print(forecast_table(predicted, by))
    console.print(fleet_table(predicted))
    if shares := binding_shares(world):
        console.print(binding_table(shares))
    for line in (*rows_lines(world), *([energy] if (energy := energy_line(predicted)) else [])):
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    if csv is not None:
        for line in write_sheet(csv, predicted, world.population, by):
            console.print(line, highlight=False, markup=False, soft_wrap=True)
        console.print(f"sheet written to {csv}", highlight=False, markup=False, soft_wrap=True)
    _write(json_path, as_json(predicted))


def _write(path: Path | None, found: Any) -> None:
    import json

    from chordsim.files import atomic_write
    from chordsim.terminal import screen

    if path is not None:
        atomic_write(path, (json.dumps(found, indent=2) + "\n").encode())
        screen().print(f"forecast written to {path}", highlight=False, markup=False, soft_wrap=True)
