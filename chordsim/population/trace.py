"""A user's trace of when devices are free: CSV of device_id,start_s,end_s, checked, and looked up many phones at a time."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from chordsim.arrays import Bools, Floats, Ints
from chordsim.errors import DataError
from chordsim.population.own import read_table

COLUMNS = ("device_id", "start_s", "end_s")
MAX_ROWS = 10_000_000
DAY_S = 86_400.0


@dataclass(frozen=True)
class Trace:
    """Spans of T devices, sorted by device, then start.

    Attributes:
        devices: T.
        owner: Number of the device of each span, [N].
        start_s: [N].
        end_s: [N].
        period_s: After so many seconds the trace begins anew: its last whole day.
    """

    devices: int
    owner: Ints
    start_s: Floats
    end_s: Floats
    period_s: float

    def covers(self, numbers: Ints, at_s: float) -> Bools:
        """Return which of these devices [D] are within a span at a time of the trace."""
        key = self.owner * (2 * self.period_s) + self.start_s
        place = np.searchsorted(key, numbers * (2 * self.period_s) + at_s, side="right") - 1
        safe = np.maximum(place, 0)
        return np.asarray((place >= 0) & (self.owner[safe] == numbers) & (at_s < self.end_s[safe]))


def read_trace(path: str) -> Trace:
    """Read and check a trace.

    Raises:
        DataError: Names the file, and the line and what is wrong with it.
    """
    rows = read_table(path, COLUMNS, MAX_ROWS)
    ids = np.array([_whole(path, line, row["device_id"]) for line, row in enumerate(rows, 2)], np.int64)
    start, end = (np.array([_seconds(path, line, name, row[name]) for line, row in enumerate(rows, 2)]) for name in COLUMNS[1:])
    line = _first(end <= start)
    if line is not None:
        raise DataError(f"{path}: line {line + 2}: end_s {end[line]:g} is not after start_s {start[line]:g}")
    names, owner = np.unique(ids, return_inverse=True)
    order = np.lexsort((start, owner))
    owner, start, end = owner[order].astype(np.int64), start[order], end[order]
    clash = _first((owner[1:] == owner[:-1]) & (start[1:] < end[:-1]))
    if clash is not None:
        line = int(max(order[clash], order[clash + 1])) + 2
        raise DataError(f"{path}: line {line}: device {names[owner[clash]]} is free twice at {start[clash + 1]:g} s: spans may not overlap")
    return Trace(names.size, owner, start, end, max(math.ceil(float(end.max()) / DAY_S), 1) * DAY_S)


def _first(bad: Bools) -> int | None:
    return int(np.argmax(bad)) if bad.any() else None


def _whole(path: str, line: int, text: str) -> int:
    if not text.strip().isdecimal():
        raise DataError(f"{path}: line {line}: device_id is {text!r}: must be a whole number, 0 or more")
    return int(text)


def _seconds(path: str, line: int, name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise DataError(f"{path}: line {line}: {name} is {text!r}, not a number") from None
    if not math.isfinite(value) or value < 0:
        raise DataError(f"{path}: line {line}: {name} is {text}: must be a finite number, 0 or more")
    return value
