"""A user's trace of when devices are free, checked, and looked up many phones at a time.

CSV of device_id,start_s,end_s, or FedScale's form as JSON: by device, or a line each, ``{"active": [...], "inactive": [...]}``, where the
n-th session begins at ``active[n]`` and ends at ``inactive[n]``. Time is in seconds since midnight UTC of the first day.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from chordsim import arrow
from chordsim.arrays import Bools, Floats, Ints
from chordsim.data import values
from chordsim.data.content import Limits, opened
from chordsim.data.interactions import Tokens
from chordsim.data.raw import sorted_tokens
from chordsim.data.sniff import BOM
from chordsim.errors import DataError, one_line
from chordsim.population.reading import figures, first, read_texts

COLUMNS = ("device_id", "start_s", "end_s")
MAX_ROWS = 10_000_000
DAY_S = 86_400.0
#: A trace is some days of a life. Later times are of another unit, or count from another origin.
_LONGEST_S, _SHORTEST_S, _EPOCH_S = 366 * DAY_S, 600.0, 5e8
_MEANS = "time is in seconds since midnight UTC of the first day"
_ID_KEYS = ("device_id", "client_id", "id")
_LARGEST = 1 << 30


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
        DataError: Names the file, and the line (of JSON, the device) and what is wrong with it.
    """
    head = _head(path)
    if head.startswith(b"\x80"):
        form = '{"ID": {"active": [...], "inactive": [...]}}'
        raise DataError(f"{path}: a pickle, which is not opened here, since it could run anything: write it as JSON, {form}")
    if head.lstrip().startswith(b"["):
        raise DataError(f'{path}: a JSON array: write one object by device, {{"ID": {{"active": [...], "inactive": [...]}}}}')
    if head.lstrip().startswith(b"{"):
        codes, names, start, end, place = _json(path)
    else:
        texts = read_texts(path, COLUMNS, MAX_ROWS)
        start, end = (figures(texts, name, zero=True) for name in COLUMNS[1:])
        ids, place = values.ids("device", texts.columns[COLUMNS[0]], texts.place), texts.place
        codes, names = np.asarray(ids.indices), np.array(ids.dictionary.to_pylist(), np.str_)
    _check_unit(start, end, place)
    row = first(end <= start)
    if row is not None:
        raise DataError(f"{place(row)}: end_s {end[row]:g} is not after start_s {start[row]:g}")
    rank = np.empty(names.size, np.int64)
    rank[sorted_tokens(names)] = np.arange(names.size)
    owner = rank[codes]
    order = np.lexsort((start, owner))
    owner, start, end = owner[order], start[order], end[order]
    clash = first((owner[1:] == owner[:-1]) & (start[1:] < end[:-1]))
    if clash is not None:
        row = int(max(order[clash], order[clash + 1]))
        raise DataError(f"{place(row)}: device {names[codes[row]]} is free twice at {start[clash + 1]:g} s: spans may not overlap")
    if float(end.max()) < _SHORTEST_S:
        raise DataError(f"{path}: all is over after {end.max():g} s of the first day: {_MEANS}; multiply by 3600 if these are hours")
    return Trace(names.size, owner, start, end, max(math.ceil(float(end.max()) / DAY_S), 1) * DAY_S)


def _check_unit(start: Floats, end: Floats, place: Callable[[int], str]) -> None:
    late = first(end > _LONGEST_S)
    if late is not None:
        if end[late] < _EPOCH_S:
            why = f"beyond a year: {_MEANS}; divide by 1000 if these are milliseconds"
        else:
            unit = 1.0 if end[late] < 1e11 else 1e3
            day = math.floor(float(start.min()) / unit / DAY_S) * DAY_S
            then = ", and divide by 1000" if unit > 1 else ""
            why = f"counts from 1970: {_MEANS}; subtract {day * unit:.0f}, the midnight before the first span{then}"
        raise DataError(f"{place(late)}: end_s {end[late]:.0f} {why}")


def _head(path: str) -> bytes:
    with opened(Path(path).expanduser(), limits=Limits(content_bytes=_LARGEST)) as content:
        return content.read(64).removeprefix(BOM)


def _json(path: str) -> tuple[Ints, Tokens, Floats, Floats, Callable[[int], str]]:
    """Return the device of each span, all devices, starts and ends of FedScale's form, and what names a span."""
    names: dict[str, int] = {}
    owner: list[int] = []
    spans: list[tuple[float, float]] = []
    for name, found in _devices(path):
        where = f"{path}: device {name[:40]}"
        if not isinstance(found, dict):
            raise DataError(f'{where}: not an object of "active" and "inactive"')
        if not arrow.is_text(name):
            raise DataError(f"{path}: device {name[:40]!r} has half a surrogate pair, which is no text")
        begins, ends = (_numbers(where, key, found.get(key)) for key in ("active", "inactive"))
        if len(begins) == len(ends) + 1 and "finish_time" in found:
            # Still free when the recording ended.
            ends = [*ends, *_numbers(where, "finish_time", [found["finish_time"]])]
        if len(begins) != len(ends):
            raise DataError(f"{where}: {len(begins)} times of active and {len(ends)} of inactive: every session needs both")
        if name in names:
            raise DataError(f"{where}: stands there twice")
        # A device without a session counts too: it is never free.
        names[name] = len(names)
        owner += [names[name]] * len(begins)
        spans += zip(begins, ends, strict=True)
        if len(owner) > MAX_ROWS:
            raise DataError(f"{path}: more than {MAX_ROWS:,} spans")
    if not spans:
        raise DataError(f"{path}: no span in it")

    listed = np.array(list(names), np.str_)

    def place(row: int) -> str:
        return f"{path}: device {str(listed[owner[row]])[:40]}"

    start, end = np.array(spans, np.float64).T
    return np.array(owner, np.int64), listed, start, end, place


def _devices(path: str) -> Iterator[tuple[str, Any]]:
    """Yield every device's name and what is said of it: from one object by device, or from one object a line."""
    with opened(Path(path).expanduser(), limits=Limits(content_bytes=_LARGEST)) as content:
        data = b"".join(content.blocks()).removeprefix(BOM)
    try:
        whole = json.loads(data, object_pairs_hook=_once)
        many = all(isinstance(found, dict) for found in whole.values())
    except _TwiceError as error:
        raise DataError(f"{path}: {error}") from None
    except (ValueError, RecursionError):
        yield from _each_line(path, data)
        return
    yield from whole.items() if many else [_named(f"{path}: line 1", whole)]


def _each_line(path: str, data: bytes) -> Iterator[tuple[str, Any]]:
    for number, line in enumerate(data.split(b"\n"), 1):
        if line.strip():
            try:
                found = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise DataError(f"{path}: line {number}: not JSON ({one_line(error, 80)})") from None
            yield _named(f"{path}: line {number}", found)


def _named(where: str, found: Any) -> tuple[str, Any]:
    key = next((key for key in _ID_KEYS if isinstance(found, dict) and key in found), None)
    if key is None:
        raise DataError(f"{where}: no object with one of {', '.join(_ID_KEYS)}")
    return str(found[key]), found


class _TwiceError(Exception):
    """A key that stands twice in one object."""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise _TwiceError(f"{next(name for name in names if names.count(name) > 1)[:40]!r} stands twice in one object")
    return found


def _numbers(where: str, key: str, found: Any) -> list[float]:
    if not isinstance(found, list):
        raise DataError(f"{where}: {key}: a list of seconds is needed")
    for value in found:
        # A whole number of any length compares, though it may be none that a float holds.
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= sys.float_info.max:
            raise DataError(f"{where}: {key}: {str(value)[:40]!r} must be a finite number, 0 or more")
    return [float(value) for value in found]
