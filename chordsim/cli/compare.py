"""`chordsim compare`: what differs between runs, and whether it is significant."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def compare(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN RUN...", help="Run directories; each is compared with the first.")],
    out: Annotated[Path, typer.Option(metavar="FILE", help="Where to write the page.")] = Path("compare.html"),
) -> None:
    """Compare runs over the same users: what differs in the scenarios, paired differences, bootstrap by user, Holm.

    RUN is a run directory; every other one is compared with the first.
    """
    from chordsim.compare import apps, comparison
    from chordsim.compare.compare import compare as compared
    from chordsim.terminal import screen

    found = compared(runs)
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
    console.print(f"page: {comparison.write(found, out)}", highlight=False, markup=False, soft_wrap=True)
