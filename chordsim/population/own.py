"""A user's CSV of own phones: one row per model of phone, checked before anything is drawn from it."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist

import numpy as np

from chordsim.arrays import Floats
from chordsim.config.phones import HARDWARE
from chordsim.errors import DataError

MAX_ROWS = 1_000_000
_MAY_BE_ZERO = ("round_trip_ms", "nj_per_mac", "radio_w")


@dataclass(frozen=True)
class OwnPhones:
    """N rows.

    Attributes:
        columns: Hardware by column name, [N] each.
        cumulative: Running share of each row's weight, [N].
        speed_z: Place of each row by speed among all weight, a standard normal latent, [N].
        tier: Named tier of each row; empty where the file names none.
    """

    columns: Mapping[str, Floats]
    cumulative: Floats
    speed_z: Floats
    tier: tuple[str, ...]


def read_own(path: str) -> OwnPhones:
    """Read and check the file.

    Raises:
        DataError: Missing, not a table, a missing column, or a value that no phone has; names file, line and column.
    """
    rows = read_table(path, HARDWARE, MAX_ROWS)
    names = set(rows[0])
    columns = {name: np.array([_number(path, line, name, row[name]) for line, row in enumerate(rows, 2)]) for name in HARDWARE}
    weight = np.ones(len(rows))
    if "weight" in names:
        weight = np.array([_number(path, line, "weight", row["weight"]) for line, row in enumerate(rows, 2)])
    share = weight / weight.sum()
    order = np.argsort(columns["gmacs_per_s"], kind="stable")
    middle = np.empty(len(rows))
    middle[order] = np.cumsum(share[order]) - share[order] / 2
    z = np.array([NormalDist().inv_cdf(min(max(m, 1e-12), 1 - 1e-12)) for m in middle.tolist()])
    return OwnPhones(columns, np.cumsum(share), z, tuple(row["tier"].strip() for row in rows) if "tier" in names else ())


def read_table(path: str, needed: tuple[str, ...], max_rows: int) -> list[dict[str, str]]:
    """Return the rows of a CSV with a header that has all needed columns.

    Raises:
        DataError: Names the file, and the line or the column.
    """
    try:
        with Path(path).expanduser().open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream, strict=True)
            names = reader.fieldnames or []
            missing = [name for name in needed if name not in names]
            if missing:
                raise DataError(f"{path}: no column {missing[0]!r}: it needs {', '.join(needed)}")
            rows: list[dict[str, str]] = []
            for row in reader:
                if None in row or None in row.values():
                    raise DataError(f"{path}: line {reader.line_num}: not {len(names)} values, as the header has")
                if len(rows) == max_rows:
                    raise DataError(f"{path}: more than {max_rows:,} rows")
                rows.append(row)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read as CSV: {getattr(error, 'strerror', None) or error}") from error
    if not rows:
        raise DataError(f"{path}: a header and no rows")
    return rows


def _number(path: str, line: int, name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise DataError(f"{path}: line {line}: {name} is {text!r}, not a number") from None
    least = "0 or more" if name in _MAY_BE_ZERO else "above 0"
    if not math.isfinite(value) or value < 0 or (value == 0 and name not in _MAY_BE_ZERO):
        raise DataError(f"{path}: line {line}: {name} is {text}: must be a finite number {least}")
    return value
