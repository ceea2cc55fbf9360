"""Tables about phones as columns of texts: read block by block through the door for data files, and named by line where they are wrong."""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from chordsim.arrays import Bools, Floats
from chordsim.data.blocks import Lines
from chordsim.data.content import Limits, opened
from chordsim.data.delimited import Table
from chordsim.data.layout import Layout
from chordsim.data.roles import Roles, listed
from chordsim.data.sniff import BLANKS, TAB, fields_of, head_lines, separator_of
from chordsim.errors import DataError

_LARGEST = 1 << 30
_SEPARATORS = (",", ";", TAB, "|")


@dataclass(frozen=True)
class Texts:
    """The rows of a table.

    Attributes:
        path: The file.
        columns: By name, in the file's order; Arrow arrays of trimmed texts.
        rows: How many.
        place: Returns ``path: line N`` for a row.
    """

    path: str
    columns: dict[str, Any]
    rows: int
    place: Callable[[int], str]


def read_texts(path: str, needed: Sequence[str], max_rows: int) -> Texts:
    """Read a table with a header that has all needed columns; plain or packed, with any of `_SEPARATORS` between columns.

    Raises:
        DataError: Not a regular file, too large, a column that is missing or stands there twice, or a line with more or fewer values.
    """
    file = Path(path).expanduser()
    limits = Limits(content_bytes=_LARGEST)
    with opened(file, limits=limits) as content:
        lines = Lines(file, content, limits.line_bytes)
        head = head_lines(lines.head.data)
        if not head:
            raise DataError(f"{path}: a header and no rows")
        separator = separator_of(head[:1], _SEPARATORS) or ","
        try:
            names = fields_of(head[0].text, separator, True)
        except csv.Error as error:
            raise DataError(f"{path}: line {head[0].number}: broken quotes ({error})") from None
        _check_names(path, names, needed)
        roles = Roles({name: place for place, name in enumerate(names)}, {}, (), ())
        layout = Layout(
            separator, len(names), True, roles, head[0].end, head[0].number + 1, "{found}, not {width} values, as the header has"
        )
        parts, ends, places = [], [0], []
        table = Table(file, layout)
        for block in lines.after_header(layout.start, layout.first_line):
            read = table.texts(block)
            if read is not None:
                parts.append(read[0])
                ends.append(ends[-1] + len(next(iter(read[0].values()))))
                places.append(read[1])
            if ends[-1] > max_rows:
                raise DataError(f"{path}: more than {max_rows:,} rows")
    if not parts:
        raise DataError(f"{path}: a header and no rows")

    def place(row: int) -> str:
        part = int(np.searchsorted(ends, row, side="right")) - 1
        return places[part](row - ends[part])

    columns = {name: pc.ascii_trim(pa.concat_arrays([part[name] for part in parts]), BLANKS) for name in names}
    return Texts(path, columns, ends[-1], place)


def figures(texts: Texts, name: str, *, zero: bool, least: float = 0.0, most: float = sys.float_info.max) -> Floats:
    """Return a column of finite numbers, 0 or more (``zero``) or above 0, from ``least`` to ``most``.

    Raises:
        DataError: Names the first that is none.
    """
    column = texts.columns[name]
    try:
        values = np.asarray(column.cast(pa.float64()))
    except pa.ArrowInvalid:
        for row, text in enumerate(column.to_pylist()):
            if not re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?|[+-]?(nan|inf|infinity)", text, re.IGNORECASE):
                raise DataError(f"{texts.place(row)}: {name} is {text!r}, not a number") from None
        values = np.array([float(text) for text in column.to_pylist()])
    bad = first(~(np.isfinite(values) & ((values >= 0) if zero else (values > 0))))
    if bad is not None:
        which = "0 or more" if zero else "above 0"
        raise DataError(f"{texts.place(bad)}: {name} is {column[bad].as_py()}: must be a finite number, {which}")
    bad = first((values < least) | (values > most))
    if bad is not None:
        bound = f"{least:g} at least" if values[bad] < least else f"{most:,.0f} at most"
        raise DataError(f"{texts.place(bad)}: {name} is {column[bad].as_py()}: {bound}")
    return values


def first(bad: Bools) -> int | None:
    """Return the first row that is bad, or None."""
    return int(np.argmax(bad)) if bad.any() else None


def _check_names(path: str, names: Sequence[str], needed: Sequence[str]) -> None:
    missing = [name for name in needed if name not in names]
    if missing:
        raise DataError(f"{path}: no column {missing[0]!r}: it needs {', '.join(needed)}, and has {listed(names)}")
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise DataError(f"{path}: line 1: two columns are named {twice!r}: leave one of them out")
