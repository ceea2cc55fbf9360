"""How a run's cloud models were trained, in training.csv: the numbers of every validation, one a line."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

from chordsim.csv_frame import read_csv
from chordsim.errors import RunError
from chordsim.files import atomic_write
from chordsim.ledger.damage import named
from chordsim.ledger.names import TRAINING

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class CurveLine:
    """One number of one validation.

    Attributes:
        method: The method.
        step: After how many steps; 0 is the start of a model that was taken over trained.
        what: ``loss``, ``validation_ndcg_10``, ``share`` or ``utility``.
        layer: The layer that a share or utility is of, else empty.
        code: The plan's code that it is of, else empty.
        value: The number.
    """

    method: str
    step: int
    what: str
    layer: str
    code: str
    value: float


COLUMNS = [field.name for field in fields(CurveLine)]


def write(run: Path, lines: Iterable[CurveLine]) -> None:
    """Write the file; numbers come back as they were.

    Raises:
        UserError, RunError: The disk refuses.
    """
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    table.writerows(astuple(line) for line in lines)
    atomic_write(run / TRAINING, text.getvalue().encode())


def read(path: Path | None) -> pd.DataFrame:
    """Return the file as a frame; one without lines where there is no file.

    Raises:
        RunError: The file is not what `write` makes.
    """
    if path is None:
        import pandas as pd

        return pd.DataFrame(columns=COLUMNS)
    with named(path):
        table = read_csv(
            path,
            keep_default_na=False,
            dtype={"method": str, "step": int, "what": str, "layer": str, "code": str, "value": float},
        )
    if list(table) != COLUMNS:
        raise RunError(f"{path}: columns are {', '.join(map(str, table))} instead of {', '.join(COLUMNS)}")
    return table
