"""The CSV tables as files: their names, and lines in and out."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

ACCURACY, DIFFERENCES, CELLS = "accuracy.csv", "differences.csv", "cells.csv"
#: The seed of lines over all seeds: each user's mean over rounds and seeds, then over users.
ALL_SEEDS = "all"
#: What `cells.csv` says of a cell.
MEASURED, MISSING = "measured", "missing"
Line = dict[str, str]


def read_lines(path: Path) -> list[Line]:
    """Return the lines of a table.

    Raises:
        OSError: It is not there.
    """
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def write_lines(path: Path, lines: Iterable[Mapping[str, Any]]) -> None:
    """Write lines as CSV; a table without lines is a file without columns."""
    made = list(lines)
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(made[0]) if made else [], lineterminator="\n")
        writer.writeheader()
        writer.writerows({key: text(value) for key, value in line.items()} for line in made)


def text(value: Any) -> str:
    """Return how a value stands in a table; nothing for None and NaN."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return f"{value:.8g}" if isinstance(value, float) else str(value)
