"""`chordsim scenarios`: what ships, and the question that each answers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    help="List the scenarios that ship, show one, or check your own.",
    epilog="Example: chordsim scenarios validate mine.toml",
    invoke_without_command=True,
    rich_markup_mode="rich",
)


@app.callback()
def list_scenarios(context: typer.Context) -> None:
    """List the scenarios that ship, show one, or check your own."""
    if context.invoked_subcommand is not None:
        return
    from chordsim.fitted import Worded
    from chordsim.scenario.reading import read_text
    from chordsim.scenario.shipped import question_of, shipped
    from chordsim.terminal import screen

    table = Worded("name", "question that it answers")
    for name, path in shipped().items():
        table.add_row(name, question_of(read_text(path)))
    screen().print(table)


@app.command("show", epilog="Example: chordsim scenarios show quickstart --resolved")
def show(
    name: Annotated[str, typer.Argument(help="A shipped name or a path.")],
    resolved: Annotated[bool, typer.Option("--resolved", help="Write out every key with its default.")] = False,
) -> None:
    """Print a scenario's file. NAME is a shipped name or a path."""
    from chordsim.scenario.load import dump, load, locate
    from chordsim.scenario.reading import read_text

    typer.echo((dump(load(name)) if resolved else read_text(locate(name))).rstrip("\n"))


@app.command("validate", epilog="Example: chordsim scenarios validate mine.toml")
def validate(path: Annotated[Path, typer.Argument(help="A scenario file.")]) -> None:
    """Check a scenario's file, without loading data."""
    from chordsim.data.catalog import find
    from chordsim.errors import DataError, ScenarioError
    from chordsim.scenario.load import digest, load

    scenario = load(path)
    if scenario.data.source not in ("synthetic", "file"):
        try:
            find(scenario.data.source)
        except DataError as error:
            raise ScenarioError(f"{path}: data.source: {error}") from None
    population = scenario.population
    named = {
        "data.path": scenario.data.path,
        "population.latency": population.latency,
        "population.availability.trace": population.availability.trace,
    }
    for key, file in named.items():
        if file and not Path(file).exists():
            raise ScenarioError(f"{path}: {key}: {file}: no such file")
    typer.echo(f"{path}: fine: {len(scenario.methods)} methods, {scenario.rounds.count} rounds, sha256 {digest(scenario)}")
