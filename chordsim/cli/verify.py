"""`chordsim verify`: whether a run directory is what its run wrote."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def verify(run: Annotated[Path, typer.Argument(metavar="RUN", help="A run directory.")]) -> None:
    """Check every file of a run against SHA256SUMS, every row against its digest and the books, and the hash of the ledger.

    RUN is a run directory, such as runs/quickstart-1-1. What does not match is named, with exit code 1.
    """
    from chordsim.store.verify import verify as verified

    found = verified(run)
    for doubt in found.doubts:
        typer.echo(doubt)
    what = f"{found.files:,} files and {found.rows:,} rows of {found.parts:,} ledger files match"
    typer.echo(f"{run}: {what}; ledger {found.ledger_sha256 or 'without rows'}")
