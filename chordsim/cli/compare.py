"""`chordsim compare`: what differs between runs, and whether it is significant."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from chordsim.cli.options import UncheckedOption
from chordsim.cli.report import Chart, Figure, check_one, drawn, printed
from chordsim.errors import UserError


def compare(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN RUN...", help="Run directories; each is compared with the first.")],
    out: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="Where to: the page (by default compare.html), the table, or the figures' folder (figures)."),
    ] = None,
    table: Annotated[
        Literal["latex", "markdown", "csv"] | None,
        typer.Option(help="Print the comparison instead: latex or markdown for one column of a paper, csv with all numbers."),
    ] = None,
    figure: Figure = None,
    chart: Chart = None,
    unchecked: UncheckedOption = False,
) -> None:
    """Compare runs over the same users: what differs in the scenarios, paired differences, bootstrap by user, Holm.

    RUN is a run directory; every other one is compared with the first. With --table a table for a paper, with --figure figures.
    """
    from chordsim.compare import apps, comparison
    from chordsim.compare.compare import compare as compared
    from chordsim.terminal import screen

    check_one(table, figure, chart)
    found = compared(runs, not unchecked)
    if table is not None:
        if apps.is_of_apps(found):
            raise UserError("--table: runs of Flower apps have metrics of their own, which stand in the page and in the terminal")
        from chordsim.compare.runs_table import paper
        from chordsim.report import latex

        return printed(latex.printed(paper(found), table), out)
    if figure is not None:
        from chordsim.report.drawn import save

        return drawn(save(comparison.charts(found), out or Path("figures"), figure, chart or ()))
    console = screen()
    for key, values in found.differs:
        console.print(f"{key}: {' / '.join(values)}", highlight=False, markup=False, soft_wrap=True)
    for line in comparison.not_whole(found):
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    if not found.differs:
        console.print("the scenarios are the same")
    if apps.is_of_apps(found):
        console.print(apps.terminal_table(found))
    else:
        console.print(comparison.terminal_table(found))
        if found.sizes_only and (energy := comparison.energy_line(found)):
            console.print(energy, highlight=False, markup=False, soft_wrap=True)
        console.print(comparison.verdict(found), highlight=False, markup=False, soft_wrap=True)
    console.print(f"page: {comparison.write(found, out or Path('compare.html'))}", highlight=False, markup=False, soft_wrap=True)
