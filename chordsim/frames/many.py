"""Many runs as one frame: their ledgers, rounds or devices, each row with the run that it is of."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol, TypeAlias

import pandas as pd

from chordsim.errors import UserError
from chordsim.files import disk_errors
from chordsim.ledger.columns import COLUMNS
from chordsim.ledger.damage import frame
from chordsim.ledger.names import DEVICES, MANIFEST, ROUNDS
from chordsim.ledger.parquet import read_ledger
from chordsim.ledger.round_lines import ROUND_FIELDS


class HasPath(Protocol):
    """A result of `chordsim.run`, or whatever else knows its run directory."""

    @property
    def path(self) -> Path:
        """The run directory."""
        ...


#: A run directory, a folder that holds some (``runs``, a sweep's), or a result of `chordsim.run`.
Run: TypeAlias = "str | os.PathLike[str] | HasPath"


def ledger_df(*runs: Run) -> pd.DataFrame:
    """Return the ledgers of runs as one frame: `run`, then the columns of docs/ledger.md, and `list` where a run keeps lists.

    Args:
        runs: Run directories, folders that hold some, or results of `chordsim.run`.

    Raises:
        UserError: No run there, two of one name, or nothing was given.
        RunError: A run without rows, or a damaged file.
    """
    whole = _together(runs, read_ledger)
    # Runs differ in methods and tiers, and categories that differ come together as objects.
    return whole.astype({column.name: "category" for column in COLUMNS if column.dtype == "str"})


def rounds_df(*runs: Run) -> pd.DataFrame:
    """Return rounds.csv of runs as one frame, one line per run, method and round; takes and raises what `ledger_df` does."""
    return _together(runs, lambda run: frame(run / ROUNDS, ROUND_FIELDS))


def devices_df(*runs: Run) -> pd.DataFrame:
    """Return the phones of the last round of runs as one frame; takes and raises what `ledger_df` does."""
    return _together(runs, lambda run: frame(run / DEVICES, ("device_id", "tier")))


def _together(runs: tuple[Run, ...], read: Callable[[Path], pd.DataFrame]) -> pd.DataFrame:
    """Return frames of runs below one another, the run's name first."""
    found = dict(_named(runs))
    frames = [read(path) for path in found.values()]
    names = [name for name, frame in zip(found, frames, strict=True) for _ in range(len(frame))]
    whole = pd.concat(frames, ignore_index=True)
    whole.insert(0, "run", pd.Series(pd.Categorical(names, list(found))))
    return whole


def _named(runs: tuple[Run, ...]) -> Iterator[tuple[str, Path]]:
    """Yield every run with its name: that of its folder."""
    names = dict[str, Path]()
    for given in runs:
        some = list(_inside(Path(given) if isinstance(given, str | os.PathLike) else given.path))
        if not some:
            raise UserError(f"{given}: neither a run directory nor a folder that holds some: there is no {MANIFEST} in it")
        for path in some:
            before = names.setdefault(path.name, path)
            if before.resolve() != path.resolve():
                raise UserError(f"{before} and {path}: both are called {path.name}: rename one, since rows are told apart by that name")
    if not names:
        raise UserError("give at least one run directory, or a folder that holds some, such as runs")
    yield from names.items()


def _inside(folder: Path) -> Iterator[Path]:
    """Yield a run directory, or those in a folder, or in its folder of points, by name."""
    if (folder / MANIFEST).is_file():
        yield folder.absolute()
        return
    with disk_errors(folder):
        for place in (folder, folder / "points"):
            yield from sorted(path.parent.absolute() for path in place.glob(f"*/{MANIFEST}"))
