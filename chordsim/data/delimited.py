"""Tables of text, block by block: Arrow reads what is plainly well formed, and what is not is read as texts that can be judged."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
import pyarrow as pa
from pyarrow import csv as arrow_csv

from chordsim.data import values
from chordsim.data.blocks import Block, one_row_a_line
from chordsim.data.joining import Part, narrow
from chordsim.data.layout import Layout
from chordsim.data.sniff import BLANK, fields_of
from chordsim.data.values import TimeKind
from chordsim.errors import DataError, one_line

_T = TypeVar("_T")
#: Stands for a separator of more than one character; no text holds it.
_STAND_IN = b"\x1f"
_STAMPS: dict[str, Any] = {"date": pa.timestamp("ns"), "zoned date": pa.timestamp("ns", "UTC")}


class _BrokenError(Exception):
    """A line that is no row."""

    def __init__(self, number: int, what: str) -> None:
        self.number, self.what = number, what


class Table:
    """The reader of one file's blocks. Blocks after the first may be read in any order, several at a time."""

    def __init__(self, path: Path, layout: Layout) -> None:
        """Prepare to read blocks laid out like this; ``path`` is for messages."""
        self._path, self._layout = path, layout
        self._names = [f"{place}" for place in range(layout.width)]
        # What the columns turned out to hold; ids are taken for whole numbers until one is not.
        self._types: dict[str, Any] = {"user": pa.int64(), "item": pa.int64(), "rating": pa.float64(), "timestamp": pa.float64()}
        self._time: TimeKind | None = None

    def read(self, block: Block) -> Part | None:
        """Return a block's columns; None for one without rows.

        Raises:
            DataError: Names the first bad line.
        """
        clean = self._cleaned(block)
        if not clean.strip():
            return None
        return self._plainly(block, clean) or self._to_the_first_fault(block, clean, self._carefully)

    def texts(self, block: Block) -> tuple[dict[str, Any], values.Where] | None:
        """Return a block's columns by role as they are written, and what names a row; None for one without rows.

        Raises:
            DataError: Names the first line that is no row.
        """
        clean = self._cleaned(block)
        if not clean.strip():
            return None
        return self._to_the_first_fault(block, clean, self._texts), self._where(block)

    def _to_the_first_fault(self, block: Block, clean: bytes, read: Callable[[Block, bytes], _T]) -> _T:
        try:
            return read(block, clean)
        except _BrokenError as broken:
            lines = block.data.split(b"\n")[: broken.number - block.first_line]
            before = Block(b"".join(line + b"\n" for line in lines), block.first_line)
            if before.data.strip():
                # A value on an earlier line may be wrong too, and then goes first.
                read(before, self._cleaned(before))
            raise DataError(f"{self._path}: line {broken.number}: {broken.what}") from None

    def _cleaned(self, block: Block) -> bytes:
        """Return the block's bytes with one character between columns."""
        data, separator = block.data, self._layout.separator
        if separator == BLANK:
            data = data.replace(b"\r\n", b"\n")
            if b"\t" in data or b"  " in data or b" \n" in data or b"\n " in data or data[:1] == b" " or data[-1:] == b" ":
                data = re.sub(rb"[ \t\v\f]+", b" ", data).replace(b" \n", b"\n").replace(b"\n ", b"\n").strip(b" ")
        if len(separator) > 1:
            at = data.find(_STAND_IN)
            if at >= 0:
                raise DataError(f"{self._path}: line {block.line_at(at)}: a control character; this is not plain text")
            data = data.replace(separator.encode(), _STAND_IN)
        return data

    def _arrow(self, data: bytes, types: dict[str, Any], bad: Callable[[Any], Any] | None) -> Any:
        layout = self._layout
        quote: Any = '"' if layout.quotes and b'"' in data else False
        separator = _STAND_IN.decode() if len(layout.separator) > 1 else layout.separator
        columns = {self._names[layout.roles.places[role]]: type for role, type in types.items()}
        return arrow_csv.read_csv(
            cast(Any, pa.BufferReader(pa.py_buffer(data))),
            arrow_csv.ReadOptions(column_names=self._names, use_threads=False, block_size=len(data) + 1),
            arrow_csv.ParseOptions(
                delimiter=separator, quote_char=quote, double_quote=bool(quote), escape_char=False, invalid_row_handler=bad
            ),
            arrow_csv.ConvertOptions(column_types=columns, include_columns=list(columns), null_values=[], strings_can_be_null=False),
        )

    def _plainly(self, block: Block, data: bytes) -> Part | None:
        """Return the columns of a block in which nothing is odd, or None."""
        types = {role: self._types[role] for role in self._layout.roles.places}
        whole = {role for role, type in types.items() if type == pa.int64()}
        if whole and self._has_odd_number(data):
            types |= dict.fromkeys(whole, pa.string())
        try:
            table = self._arrow(data, types, None)
        except pa.ArrowInvalid:
            return None
        if b'"' in data and self._layout.quotes and not self._quotes_are_plain(data, table.num_rows):
            return None
        column = {role: table.column(self._names[place]).combine_chunks() for role, place in self._layout.roles.places.items()}
        ids = [
            narrow(np.asarray(column[role])) if types[role] == pa.int64() else values.ids(role, _one(column[role]), self._where(block))
            for role in ("user", "item")
        ]
        ratings, times = column.get("rating"), column.get("timestamp")
        if ratings is not None:
            ratings = np.asarray(_one(ratings))
            values.check_ratings(ratings, self._at(block, "rating"))
        if times is not None:
            times = values.seconds(_one(times)) if pa.types.is_timestamp(types["timestamp"]) else values.whole(np.asarray(_one(times)))
            values.check_times(times, self._at(block, "timestamp"))
            self._time = self._time or "number"
        return Part(ids[0], ids[1], ratings, times)

    def _carefully(self, block: Block, data: bytes) -> Part:
        """Read all as texts and judge every one; from then on a column is taken for what it turned out to hold."""
        column, places = self._texts(block, data), self._layout.roles.places
        where = self._where(block)
        users, items = (values.ids(role, column[role], where) for role in ("user", "item"))
        ratings = times = None
        if "rating" in places:
            ratings = values.ratings(column["rating"], where)
        if "timestamp" in places:
            times, self._time = values.times(column["timestamp"], where, self._time)
            self._types["timestamp"] = _STAMPS.get(self._time, pa.float64())
        for role, coded in (("user", users), ("item", items)):
            if not values.are_whole(coded.dictionary):
                self._types[role] = pa.string()
        return Part(users, items, ratings, times)

    def _texts(self, block: Block, data: bytes) -> dict[str, Any]:
        """Return columns of texts, after a look at every line where Arrow met an odd one.

        Raises:
            _BrokenError: The first line that is no row.
        """
        data = re.sub(rb"(?m)^[ \t\v\f]+\r?$", b"", data)
        places = self._layout.roles.places
        bad: list[str] = []

        def skip(row: Any) -> str:
            bad.append(row.text)
            return "skip"

        try:
            table = self._arrow(data, {role: pa.string() for role in places}, skip)
        except pa.ArrowInvalid as error:
            self._check_lines(block)
            raise DataError(f"{self._path}: line {block.first_line} or later: {one_line(error, 200)}") from None
        if bad or (self._layout.quotes and b'"' in data):
            self._check_lines(block)
        if bad:
            raise DataError(f"{self._path}: line {block.first_line} or later: not {self._layout.width} fields: {values.shown(bad[0])}")
        return {role: _one(table.column(self._names[place])) for role, place in places.items()}

    def _has_odd_number(self, data: bytes) -> bool:
        """Return whether a number may be written as no whole number is that becomes text again: 007, -0, 0x10, or with blanks."""
        separator = _STAND_IN if len(self._layout.separator) > 1 else self._layout.separator.encode()
        if any(text in data for text in {b"-", b"x", b"X", b" ", b"\t"} - {separator}):
            return True
        text = np.frombuffer(b"\n" + data + b"\n", np.uint8)
        before, here, after = text[:-2], text[1:-1], text[2:]
        # Most characters that may stand before a number are below the digits; few zeros are left to look at.
        zeros = np.flatnonzero((here == ord("0")) & ((before < ord("0")) | (before == separator[0])))
        begins = np.isin(before[zeros], (ord("\n"), ord('"'), separator[0]))
        return bool(np.any(begins & (after[zeros] >= ord("0")) & (after[zeros] <= ord("9"))))

    def _quotes_are_plain(self, data: bytes, rows: int) -> bool:
        """Return whether quotes stand at the ends of fields alone; else Arrow may have read past a closing one, or over a line's end."""
        text = np.frombuffer(b"\n" + data + b"\n", np.uint8)
        at = np.flatnonzero(text == 34)
        edges = np.zeros(256, np.bool_)
        edges[[10, 13, 34, ord(self._layout.separator)]] = True
        if at.size % 2 or not bool(np.all(edges[text[at - 1]] | edges[text[at + 1]])):
            return False
        return one_row_a_line(data, rows)

    def _check_lines(self, block: Block) -> None:
        """Look at every line.

        Raises:
            _BrokenError: The first with broken quotes, or with more or fewer fields than the layout has.
        """
        layout = self._layout
        for number, line in block.lines():
            try:
                found = len(fields_of(line, layout.separator, layout.quotes))
            except csv.Error as error:
                raise _BrokenError(number, f"broken quotes ({error}): {values.shown(line)}") from None
            if found != layout.width:
                complaint = layout.complaint.format(found=found, width=layout.width)
                raise _BrokenError(number, f"{complaint}: {values.shown(line)}")

    def _where(self, block: Block) -> values.Where:
        def place(row: int) -> str:
            number, _ = next(islice(block.lines(), row, None))
            return f"{self._path}: line {number}"

        return place

    def _at(self, block: Block, role: str) -> values.Where:
        """Return what names a value of a row of a block."""

        def name(row: int) -> str:
            number, line = next(islice(block.lines(), row, None))
            text = fields_of(line, self._layout.separator, self._layout.quotes)[self._layout.roles.places[role]]
            return f"{self._path}: line {number}: the {role} {values.shown(text)}"

        return name


def _one(column: Any) -> Any:
    """Return a column as one array."""
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
