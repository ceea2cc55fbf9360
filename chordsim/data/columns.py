"""The fast reader: whole columns at a time. It gives up (None) on any doubt, and `lines` then decides."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from chordsim.arrays import Floats, Ints
from chordsim.data.interactions import Tokens
from chordsim.data.lines import BLANKS, Layout
from chordsim.data.raw import LARGEST_RATING, TIMESTAMP_END, RawLog, token_fault

_BLOCK_BYTES = 8 << 20
_TOKEN = pa.dictionary(pa.int32(), pa.string())
_TYPES: dict[str, Any] = {"user": _TOKEN, "item": _TOKEN, "rating": pa.float64(), "timestamp": pa.float64()}


def read_delimited(data: bytes, layout: Layout) -> RawLog | None:
    """Read a delimited file, or return None if it is not plainly well formed.

    Quoted fields are left to `lines`, whose rules for broken quotes are stricter.
    """
    delimiter, body = layout.delimiter, memoryview(data)[layout.data_start :]
    if delimiter == b"," and data.find(b'"', layout.data_start) >= 0:
        return None
    if len(delimiter) > 1:
        if b"\t" in data:
            return None
        delimiter, body = b"\t", memoryview(data[layout.data_start :].replace(delimiter, b"\t"))
    if not body:
        return None
    names = [name or f"unread {i}" for i, name in enumerate(layout.names)]
    types = {name: _TYPES[name] for name in layout.names if name}
    source: Any = pa.BufferReader(pa.py_buffer(body))
    try:
        table: Any = csv.read_csv(
            source,
            csv.ReadOptions(column_names=names, block_size=_BLOCK_BYTES),
            csv.ParseOptions(delimiter=delimiter.decode(), quote_char=False, double_quote=False, escape_char=False),
            csv.ConvertOptions(column_types=types, include_columns=list(types), null_values=[], strings_can_be_null=False),
        )
    except pa.ArrowException:
        return None
    users, items = _codes(table.column("user")), _codes(table.column("item"))
    ratings, times = (_numbers(table, name) for name in ("rating", "timestamp"))
    if users is None or items is None or not table.num_rows:
        return None
    if ratings is not None and not bool(np.all(np.abs(ratings) <= LARGEST_RATING)):
        return None
    if times is not None and not bool(np.all((times >= 0) & (times < TIMESTAMP_END))):
        return None
    return RawLog(*users, *items, ratings, times)


def read_words(data: bytes, sequence: bool) -> RawLog | None:
    """Read ``user item`` or ``user item_1 ... item_n`` lines, or return None if they are not plainly well formed."""
    try:
        text: Any = pa.array([data], pa.large_binary()).cast(pa.large_string())
        rows: Any = pc.ascii_trim_whitespace(pc.split_pattern(text, "\n").flatten())
        rows = rows.filter(pc.not_equal(rows, pa.scalar("", pa.large_string())))
        split: Any = pc.ascii_split_whitespace(rows)
    except pa.ArrowException:
        return None
    widths = np.asarray(pc.list_value_length(split))
    if not widths.size or int(widths.min()) < 2 or (not sequence and int(widths.max()) > 2):
        return None
    words = split.flatten()
    starts = np.cumsum(widths) - widths
    heads = words.take(pa.array(starts))
    is_item = np.ones(len(words), np.bool_)
    is_item[starts] = False
    users, items = _codes(heads), _codes(words.filter(pa.array(is_item)))
    if users is None or items is None or (sequence and users[1].size != widths.size):
        return None
    return RawLog(np.repeat(users[0], widths - 1), users[1], *items, None, None)


def _codes(column: Any) -> tuple[Ints, Tokens] | None:
    """Return codes and distinct tokens in the order of their first appearance, or None if a token is bad."""
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    if isinstance(column, pa.ChunkedArray):
        column = column.unify_dictionaries().combine_chunks()
    tokens: list[str] = column.dictionary.to_pylist()
    if not tokens or any(token.strip(BLANKS) != token or token_fault(token) for token in tokens):
        return None
    return np.asarray(column.indices).astype(np.int64), np.array(tokens)


def _numbers(table: Any, name: str) -> Floats | None:
    return np.asarray(table.column(name)) if name in table.column_names else None
