"""The CSV tables as files: their names, and lines in and out."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from statistics import stdev
from typing import Any

ACCURACY, DIFFERENCES, CELLS = "accuracy.csv", "differences.csv", "cells.csv"
#: The seed of lines over all seeds: each user's mean over rounds, then over seeds, then over users.
ALL_SEEDS = "all"
#: What `cells.csv` says of a cell.
MEASURED, MISSING = "measured", "missing"
#: What an interval of more than one seed is over: tables of before knew users alone.
USERS, USERS_AND_SEEDS = "users", "users and seeds"
#: Between two cells' keys: what the first has above the second. A comparison of two such differences asks whether one gain is larger.
MINUS = " minus "
Line = dict[str, str]


def cells_of(key: str) -> tuple[str, ...]:
    """Return the cells that one side of a comparison is made of: one, or two whose difference it is."""
    return tuple(key.split(MINUS))


def read_lines(path: Path) -> list[Line]:
    """Return the lines of a table.

    Raises:
        OSError: It is not there.
    """
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def write_lines(path: Path, lines: Iterable[Mapping[str, Any]]) -> None:
    """Write lines as CSV with the columns of all of them; a table without lines is a file without columns."""
    made = list(lines)
    columns = dict.fromkeys(name for line in made for name in line)
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(columns), restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows({key: text(value) for key, value in line.items()} for line in made)


def spread(values: Iterable[float]) -> float | None:
    """Return the standard deviation of what seeds gave, None of fewer than two."""
    known = list(values)
    return stdev(known) if len(known) > 1 else None


def text(value: Any) -> str:
    """Return how a value stands in a table; nothing for None and NaN."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return f"{value:.8g}" if isinstance(value, float) else str(value)
