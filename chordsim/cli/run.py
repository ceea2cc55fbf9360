"""`chordsim run`: the main job."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from chordsim.cli.options import ScenarioArgument, SeedOption, SetOption

if TYPE_CHECKING:
    from chordsim.api import RunResult


def run(
    scenario: ScenarioArgument = "quickstart",
    overrides: SetOption = None,
    seed: SeedOption = None,
    engine: Annotated[Literal["inprocess", "ray"] | None, typer.Option(help="What carries the work.")] = None,
    workers: Annotated[int | None, typer.Option(min=0, help="Worker processes; 0 is one per core.")] = None,
    ray_address: Annotated[str | None, typer.Option(help="A Ray cluster that runs already, such as auto.")] = None,
    out: Annotated[Path | None, typer.Option(help="Run directory to make; by default the next free one under runs/.")] = None,
    resume: Annotated[Path | None, typer.Option(help="Run directory of an interrupted run to go on with.")] = None,
    allow_drift: Annotated[
        bool, typer.Option("--allow-drift", help="Resume under other versions or numerics; the run then claims no hash.")
    ] = False,
) -> None:
    """Run a scenario: train the cloud models, play all rounds, write the run directory, print the table.

    SCENARIO is a shipped name (see chordsim scenarios) or the path of a TOML file.
    """
    from chordsim import api
    from chordsim.errors import NotWhole, RunError
    from chordsim.forecast.printed import beside_lines
    from chordsim.ledger.energy_words import sensitivity
    from chordsim.report.asked_for import asked_for_table
    from chordsim.report.refused import refused_line
    from chordsim.report.terminal_tables import costs_table, final_table, fleet_table, listed_table, strangers_table
    from chordsim.scenario.load import load
    from chordsim.terminal import Terminal, screen

    console = screen()
    # Loaded here only to say what begins; a mistake in it is told before anything heavy is imported.
    console.print(_heading(load(scenario, overrides or (), seed).question if resume is None else ""), end="")
    with Terminal() as progress, warnings.catch_warnings():
        warnings.simplefilter("ignore", NotWhole)  # told last, as the error that the command ends with
        result = api.run(
            scenario,
            overrides=overrides or (),
            seed=seed,
            engine=engine,
            workers=workers,
            ray_address=ray_address,
            out=out,
            resume=resume,
            allow_drift=allow_drift,
            progress=progress,
        )
    for line in notes(result):
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    console.print(final_table(result.summary))
    if refused := refused_line(result.summary, result.manifest):
        console.print(refused, highlight=False, markup=False, soft_wrap=True)
    held = listed_table(result.summary)
    if held is not None:
        console.print(held)
    asked = asked_for_table(result.summary)
    if asked is not None:
        console.print(asked)
    console.print(costs_table(result.summary))
    console.print(fleet_table(result.summary))
    strangers = strangers_table(result.summary)
    if strangers is not None:
        console.print(strangers)
    warning = result.manifest.get("budgets", {}).get("warning")
    energy = sensitivity({name: method.get("energy", {}) for name, method in result.summary["methods"].items()})
    for line in [energy, *beside_lines(result.summary), warning]:
        if not line:
            continue
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    console.print(f"run directory: {result.path}", highlight=False, markup=False, soft_wrap=True)
    if result.manifest.get("status") != "complete":
        errors = result.manifest.get("errors") or ["no reason given"]
        raise RunError(f"{result.path}: the run is {result.manifest.get('status')}: {errors[0]}")


def notes(result: RunResult) -> list[str]:
    """Return what a reader of the table must know: the data that were used, and who was ranked how."""
    from chordsim.data.interactions import SourceInfo
    from chordsim.evaluate import NOTHING

    manifest: dict[str, Any] = result.manifest
    source = {key: value for key, value in manifest["data"].items() if key in SourceInfo.__dataclass_fields__}
    summary = result.summary
    protocol, engine = summary["protocol"], summary["engine"]
    took = f"{engine['wall_s']:.0f} s, of which training {engine['train_s']:.0f} s"
    if protocol["ranking"] == NOTHING:
        return [f"data: {source['name']}, sizes only", f"{summary['users']:,} users, {protocol['rounds']} rounds, nothing ranked; {took}"]
    return [
        f"data: {SourceInfo(**{**source, 'notes': tuple(source.get('notes', ()))}).line()}",
        f"{summary['users']:,} users, {protocol['rounds']} rounds, ranked among {protocol['ranking']}; {took}",
        *manifest.get("remarks", []),
    ]


def _heading(question: str) -> str:
    return f"{question}\n" if question else ""
