"""The slow reader: line by line, the authority on what is well formed, which names the first bad line."""

from __future__ import annotations

import csv
import math
import re
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from chordsim.arrays import Floats, Ints
from chordsim.data.raw import LARGEST_RATING, TIMESTAMP_END, RawLog, token_fault
from chordsim.errors import DataError

_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
#: Blanks around a field are no part of it.
BLANKS = " \t\r\v\f"


@dataclass(frozen=True)
class Layout:
    """The columns of a delimited file.

    Attributes:
        delimiter: Between two fields.
        names: "user", "item", "rating", "timestamp", or "" for a column that is not read; each once.
        data_start: Byte at which the first row begins, after any header.
        first_line: Line number of that row.
    """

    delimiter: bytes
    names: tuple[str, ...]
    data_start: int
    first_line: int


@dataclass
class _Codes:
    """Distinct tokens in the order of their first appearance."""

    of: dict[str, int] = field(default_factory=dict)
    column: array[int] = field(default_factory=lambda: array("q"))

    def add(self, token: str) -> None:
        self.column.append(self.of.setdefault(token, len(self.of)))

    def ints(self) -> Ints:
        return np.frombuffer(self.column, np.int64) if self.column else np.zeros(0, np.int64)


def read_delimited(path: Path, data: bytes, layout: Layout) -> RawLog:
    """Read a delimited file line by line.

    Raises:
        DataError: The first bad line, by number, or no line at all.
    """
    delimiter = layout.delimiter.decode()
    users, items = _Codes(), _Codes()
    ratings, times = array("d"), array("d")
    for number, line in _lines(data, layout.data_start, layout.first_line):
        fields = _fields(path, number, line, delimiter)
        if len(fields) != len(layout.names):
            raise DataError(f"{path}: line {number}: {len(fields)} fields, not {len(layout.names)}: {_shown(line)}")
        row = dict(zip(layout.names, fields, strict=True))
        users.add(_token(path, number, "user", row["user"]))
        items.add(_token(path, number, "item", row["item"]))
        if "rating" in row:
            ratings.append(_number(path, number, "rating", row["rating"], -LARGEST_RATING, LARGEST_RATING))
        if "timestamp" in row:
            times.append(_number(path, number, "timestamp", row["timestamp"], 0.0, math.nextafter(TIMESTAMP_END, 0.0)))
    return _log(path, users, items, np.array(ratings) if ratings else None, np.array(times) if times else None)


def read_words(path: Path, data: bytes, start: int, sequence: bool) -> RawLog:
    """Read ``user item`` lines, or with ``sequence`` lines of ``user item_1 ... item_n``, one by one.

    Raises:
        DataError: The first bad line, by number, or no line at all.
    """
    users, items = _Codes(), _Codes()
    line_of: dict[str, int] = {}
    for number, line in _lines(data, start, 1):
        user, *chosen = line.encode().split()
        if not sequence and len(chosen) != 1:
            raise DataError(f"{path}: line {number}: {len(chosen) + 1} words, not 'user item': {_shown(line)}")
        if not chosen:
            raise DataError(f"{path}: line {number}: a user without items: {_shown(line)}")
        name = _token(path, number, "user", user.decode())
        if sequence and line_of.setdefault(name, number) != number:
            raise DataError(f"{path}: line {number}: user {name[:40]} already stands on line {line_of[name]}; one line for each user")
        for item in chosen:
            users.add(name)
            items.add(_token(path, number, "item", item.decode()))
    return _log(path, users, items, None, None)


def _lines(data: bytes, start: int, first_line: int) -> Iterator[tuple[int, str]]:
    """Yield (number, text) of every line that is not blank."""
    number = first_line - 1
    while start < len(data):
        end = data.find(b"\n", start)
        end = len(data) if end < 0 else end
        number += 1
        line = data[start:end].decode("utf-8").rstrip("\r")
        start = end + 1
        if line.strip(BLANKS):
            yield number, line


def _fields(path: Path, number: int, line: str, delimiter: str) -> list[str]:
    if delimiter == "," and '"' in line:
        try:
            return [f.strip(BLANKS) for f in next(csv.reader([line], strict=True))]
        except csv.Error as error:
            raise DataError(f"{path}: line {number}: broken quotes ({error}): {_shown(line)}") from None
    return [f.strip(BLANKS) for f in line.split(delimiter)]


def _token(path: Path, number: int, what: str, token: str) -> str:
    fault = token_fault(token)
    if fault:
        raise DataError(f"{path}: line {number}: the {what} id {fault}")
    return token


def _number(path: Path, number: int, what: str, text: str, low: float, high: float) -> float:
    value = float(text) if _NUMBER.fullmatch(text) else math.nan
    if math.isnan(value):
        raise DataError(f"{path}: line {number}: the {what} {_shown(text)} is not a finite number")
    if not low <= value <= high:
        hint = " since 1970 in seconds, milliseconds or microseconds" if what == "timestamp" else f" within {low:g} to {high:g}"
        raise DataError(f"{path}: line {number}: the {what} {_shown(text)} is not plausible: give a value{hint}")
    return value


def _shown(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")


def _log(path: Path, users: _Codes, items: _Codes, ratings: Floats | None, times: Floats | None) -> RawLog:
    if not users.column:
        raise DataError(f"{path}: no interaction in it, only blank lines or a header")
    return RawLog(users.ints(), np.array(list(users.of)), items.ints(), np.array(list(items.of)), ratings, times)
