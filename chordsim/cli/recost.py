"""`chordsim recost`: a finished run on other phones, links, clocks and budgets."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from chordsim.cli.options import SetOption, UncheckedOption


def recost(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run directory.")],
    overrides: SetOption = None,
    json_path: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write all numbers.")] = None,
    unchecked: UncheckedOption = False,
) -> None:
    """Play a finished run again on other phones: recorded plans and ranks, no training, in seconds.

    RUN is a run directory. What would have been another plan, or was not served then, is counted, not guessed.
    """
    import json

    from chordsim.files import atomic_write
    from chordsim.recost.again import recost as again
    from chordsim.recost.printed import energy_line, recost_table, unknown_lines
    from chordsim.terminal import screen

    found = again(run, overrides or (), not unchecked)
    console = screen()
    console.print(recost_table(found))
    energy = energy_line(found)
    for line in [*([energy] if energy else []), *unknown_lines(found)]:
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    if json_path is not None:
        parts = ("changed", "inert", "before", "after", "unknown")
        whole = {part: getattr(found, part) for part in parts}
        atomic_write(json_path, (json.dumps(whole, indent=2) + "\n").encode())
