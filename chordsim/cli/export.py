"""`chordsim export`: a method of a run as programs and files for a phone runtime, and whether they rank as the ledger says."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from chordsim.cli.options import LowBitsOption, RuntimeOption

if TYPE_CHECKING:
    from chordsim.runtime.parity import Parity


def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run directory.")],
    method: Annotated[str, typer.Option("--method", metavar="M", help="Which of the run's methods.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder to make.")],
    to: RuntimeOption = "executorch",
    device: Annotated[list[int] | None, typer.Option("--device", metavar="ID", help="One phone; may be repeated.")] = None,
    low_bits: LowBitsOption = "expand",
    check: Annotated[int, typer.Option("--check", metavar="N", min=0, help="Run N phones and compare with the ledger.")] = 0,
) -> None:
    """Export a method's model, or its phones' plans, for a phone runtime.

    RUN is a run directory. A shipped model becomes one program; plans become one program that all phones share and a file of packed weights
    for each phone. With --check, exported phones run here: scores, ranks and bytes beside the ledger's.
    """
    from chordsim.errors import RunError
    from chordsim.runtime.exporting import Job
    from chordsim.runtime.exporting import export as write
    from chordsim.runtime.extras import need
    from chordsim.runtime.from_run import source_of
    from chordsim.runtime.in_words import export_lines, parity_lines
    from chordsim.runtime.opened import opened
    from chordsim.runtime.parity import check as compare
    from chordsim.terminal import Terminal, screen

    need(to)
    console = screen()
    with Terminal() as progress:
        source = source_of(run, method, progress)
    if check:
        source.check_lists()
    listing = write(Job(source, to, low_bits, out, tuple(device or ())))
    for line in export_lines(listing, out):
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    if not check:
        return
    found: Parity = compare(opened(out, source), check)
    for line in parity_lines(found):
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    if found.unexplained.any():
        why = ": XNNPACK's kernels round activations to 8 bits" if to == "executorch" and listing["form"] == "kernel" else ""
        raise RunError(f"{out}: {int(found.unexplained.sum())} of {found.ids.size} phones rank otherwise than the ledger says{why}")
