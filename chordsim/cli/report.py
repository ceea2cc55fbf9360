"""`chordsim report`: makes report.html again, or prints a table for a paper."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer


def report(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run directory.")],
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Where to write the page; by default RUN/report.html.")] = None,
    table: Annotated[
        Literal["markdown", "latex", "recbole"] | None,
        typer.Option(help="Print the results as a table instead: markdown, latex, or JSON under the names that RecBole prints."),
    ] = None,
) -> None:
    """Make report.html from a run directory, whatever state the run is in; one file that works offline.

    RUN is a run directory, such as runs/quickstart-1-1.
    """
    if table is not None:
        from chordsim.report.export import table as printed

        typer.echo(printed(run, table), nl=False)
        return
    from chordsim.report.page import write

    typer.echo(f"report: {write(run, out)}")
