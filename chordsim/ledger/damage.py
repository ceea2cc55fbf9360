"""What libraries make of a damaged file of a run, as one typed line that names the file; and a run's tables as frames."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

from chordsim.csv_frame import read_csv
from chordsim.errors import ChordsimError, InvariantError, RunError, UserError, one_line
from chordsim.ledger.checksums import check_files

if TYPE_CHECKING:
    import pandas as pd

G = TypeVar("G", bound=Path | Sequence[Path])
P = ParamSpec("P")
T = TypeVar("T")
_LONGEST = 160


@contextmanager
def named(path: Path, what: str = "half-written or damaged") -> Iterator[None]:
    """Let whatever reads a file inside this block and fails say so in one line.

    Args:
        path: The file.
        what: What it then is.

    Raises:
        UserError: It is not there, or may not be read.
        RunError: It holds something else.
    """
    try:
        yield
    except Exception as error:  # what Arrow makes of damage differs by its version, and is not always an error of its own
        if isinstance(error, ChordsimError) and str(path) in str(error):
            raise
        if isinstance(error, OSError) and error.errno is not None:
            raise UserError(f"{path}: cannot be read: {error.strerror}") from error
        raise RunError(f"{path}: {what} ({one_line(error, _LONGEST)})") from error


@contextmanager
def sound(*runs: Path) -> Iterator[None]:
    """Let what damaged files of runs lead to inside this block be told as damage.

    A run may be read unchecked, or have no checksums, and its files may be sound each by itself and not fit together. Only when reading
    has failed are checksums looked at, for the name of the file; where they match, the failure is a bug and passes as it is.

    Args:
        runs: The run directories.

    Raises:
        RunError: The text names the file, or the run where it has no checksums.
    """
    try:
        yield
    except Exception as error:
        # A contradiction in the books is typed, and knows of no file.
        if isinstance(error, ChordsimError) and not isinstance(error, InvariantError):
            raise
        unsealed = [run for run in runs if check_files(run) is None]
        if not unsealed:
            raise
        raise RunError(f"{unsealed[0]}: its files do not fit together ({type(error).__name__}: {one_line(error, _LONGEST)})") from error


def of_runs(read: Callable[Concatenate[G, P], T]) -> Callable[Concatenate[G, P], T]:
    """Return a reader, whose first argument is a run directory or several, with its body inside `sound`."""

    @wraps(read)
    def held(given: G, /, *more: P.args, **options: P.kwargs) -> T:
        with sound(*([given] if isinstance(given, Path) else given)):
            return read(given, *more, **options)

    return held


def frame(path: Path, columns: Iterable[str] = ()) -> pd.DataFrame:
    """Return a table of a run, Parquet or CSV by its name.

    Args:
        path: The file.
        columns: What must be among its columns.

    Raises:
        UserError: It is not there.
        RunError: It is damaged, or another table.
    """
    import pandas as pd

    with named(path):
        read = read_csv(path) if path.suffix == ".csv" else pd.read_parquet(path)
    missing = [name for name in columns if name not in read.columns]
    if missing:
        raise RunError(f"{path}: half-written or damaged, or another table: no column {missing[0]!r} in it")
    return read
