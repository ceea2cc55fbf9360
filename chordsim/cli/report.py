"""`chordsim report`: makes the page of a run or a sweep again, prints a table for a paper, or draws its figures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from chordsim.cli.options import UncheckedOption
from chordsim.errors import UserError

Table = Annotated[
    Literal["latex", "markdown", "csv", "recbole"] | None,
    typer.Option(help="Print the results instead: latex or markdown for one column of a paper, csv with all numbers, or RecBole's JSON."),
]
Figure = Annotated[Literal["pdf", "svg"] | None, typer.Option(help="Draw the charts instead, each with its numbers beside it as CSV.")]
Chart = Annotated[list[str] | None, typer.Option(metavar="KEY", help="With --figure: only this chart; may be repeated.")]


def report(
    run: Annotated[Path, typer.Argument(metavar="RUN_OR_SWEEP", help="A run's or a sweep's folder.")],
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH", help="Where to: the page (by default RUN/report.html), the table, or the figures' folder (RUN/figures)."
        ),
    ] = None,
    table: Table = None,
    figure: Figure = None,
    chart: Chart = None,
    unchecked: UncheckedOption = False,
) -> None:
    """Make report.html from a run directory, whatever state the run is in, or sweep.html from a sweep; one file that works offline.

    With --table a table for a paper, with --figure figures. RUN_OR_SWEEP is such as runs/quickstart-1-1 or sweeps/quickstart.
    """
    from chordsim.sweep import found

    check_one(table, figure, chart)
    swept = found.is_sweep(run)
    if table is not None:
        from chordsim.report.export import table as of_run
        from chordsim.sweep.seeds_table import table as of_sweep

        printed(of_sweep(run, table) if swept else of_run(run, table, not unchecked), out)
    elif figure is not None:
        from chordsim.report.drawn import save
        from chordsim.report.page import charts as of_page
        from chordsim.sweep.found import charts as of_curves

        drawn(save(of_curves(run) if swept else of_page(run, not unchecked), out or run / "figures", figure, chart or ()))
    elif swept:
        typer.echo(f"report: {found.write_page(run, out)}")
    else:
        from chordsim.report.page import write

        typer.echo(f"report: {write(run, out, not unchecked)}")


def check_one(table: str | None, figure: str | None, chart: list[str] | None) -> None:
    """Refuse options that do not go together.

    Raises:
        UserError: A table and figures at once, or a chart without a form.
    """
    if table is not None and figure is not None:
        raise UserError("--table prints and --figure draws: give one of them at a time")
    if chart and figure is None:
        raise UserError(f"--chart {chart[0]}: goes with --figure pdf or --figure svg")


def printed(text: str, out: Path | None) -> None:
    """Print a table, or write it to a file and say so.

    Raises:
        UserError, RunError: The file cannot be written.
    """
    if out is None:
        typer.echo(text, nl=False)
        return
    from chordsim.files import atomic_write

    atomic_write(out, text.encode())
    typer.echo(f"table: {out}")


def drawn(paths: list[Path]) -> None:
    """Say where figures are; their numbers stand beside them."""
    for path in paths:
        typer.echo(f"figure: {path}, numbers: {path.with_suffix('.csv').name}")
