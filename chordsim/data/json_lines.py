"""JSON lines: one object a line, block by block. What Arrow does not read at once is read line by line, which names the bad one."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyarrow as pa
from pyarrow import json as arrow_json

from chordsim import arrow
from chordsim.config.model import DataConfig
from chordsim.data import roles, values
from chordsim.data.blocks import Block, one_row_a_line
from chordsim.data.content import Limits
from chordsim.data.joining import Part, narrow
from chordsim.data.names import ROLES, candidates
from chordsim.data.sniff import Line
from chordsim.data.values import TimeKind
from chordsim.errors import DataError, one_line

#: A key other than these names, or what looks like one. A key that is passed over in place costs a third of one that is taken out, so the
#: first names are; all of them would cost a wide file more than they save.
_OTHER_KEY, _PASSED_OVER = rb'"(?!(?:%s)")([^"\\]++)"[ \t]*+:', 16
_TYPES: dict[type, Any] = {str: pa.string(), int: pa.int64(), float: pa.float64()}


class JsonLines:
    """The reader of one file's blocks, which come in order.

    Attributes:
        roles: Which key is what.
    """

    def __init__(self, path: Path, lines: Sequence[Line], config: DataConfig, limits: Limits) -> None:
        """Find out from the first lines which key is what; ``path`` is for messages.

        Raises:
            DataError: A line that is no object, or roles that are not clear.
        """
        self._path = path
        objects = [_object(path, line.number, line.text) for line in lines]
        names = list(dict.fromkeys(name for found in objects for name in found))
        where = f"{path}: line {lines[0].number}"
        if len(names) > limits.columns:
            raise DataError(f"{where}: {len(names):,} keys; {limits.columns:,} at most")
        sample = [[_text(found.get(name)) for name in names] for found in objects]
        self.roles = roles.by_name(where, names, sample, config.columns)
        self._keys = {role: names[place] for role, place in self.roles.places.items()}
        first = {role: next((found[key] for found in objects if found.get(key) is not None), "") for role, key in self._keys.items()}
        self._types = {role: _TYPES.get(type(value), pa.string()) for role, value in first.items()}
        self._types["rating"] = pa.float64()
        self._time: TimeKind | None = None
        #: Keys of the first lines, so many; and roles that none of them is, where one would be read as such.
        self._names, self._seen = set(names), len(lines)
        self._absent = [role for role in ROLES if role not in self._keys and getattr(config.columns, role) is None]
        passed_over = b"|".join(re.escape(name.encode("utf-8", "surrogatepass")) for name in names[:_PASSED_OVER])
        self._other_key = re.compile(_OTHER_KEY % passed_over)

    def read(self, block: Block) -> Part | None:
        """Return a block's columns; None for one without rows.

        Raises:
            DataError: Names the first bad line.
        """
        if not block.data.strip():
            return None
        self._check_late(block)
        schema = pa.schema([(key, self._types[role]) for role, key in self._keys.items()])
        try:
            table = arrow_json.read_json(
                cast(Any, pa.BufferReader(pa.py_buffer(block.data))),
                arrow_json.ReadOptions(use_threads=False, block_size=len(block.data) + 1),
                arrow_json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore"),
            )
            column = {role: table.column(key).combine_chunks() for role, key in self._keys.items()}
            exact = one_row_a_line(block.data, table.num_rows) and all(_is_exact(column[role]) for role in ("user", "item"))
        except pa.ArrowException:
            exact = False
        if not exact:
            column = self._line_by_line(block)

        def where(row: int) -> str:
            return f"{self._path}: line {next(number for at, (number, _) in enumerate(block.lines()) if at == row)}"

        ids = [_ids(role, column[role], where) for role in ("user", "item")]
        ratings = values.rating_column(column["rating"], where) if "rating" in column else None
        times = None
        if "timestamp" in column:
            times, self._time = values.time_column(column["timestamp"], where, self._time)
        return Part(ids[0], ids[1], ratings, times)

    def _check_late(self, block: Block) -> None:
        """Refuse a key that would have been read if one of the first lines had it: what it says would be left out in silence."""
        found = {key.decode() for key in set(self._other_key.findall(block.data))} - self._names if self._absent else ()
        late = {key: role for role in self._absent for key in found if candidates(role, [key])}
        for number, line in block.lines() if late else ():
            for key in late.keys() & _object(self._path, number, line).keys():
                raise DataError(
                    f"{self._path}: line {number}: the key {key!r} would be the {late[key]}, and none of the first {self._seen:,} lines "
                    f'has it: give it to every line, or set data.columns.{late[key]} = "{roles.NONE}"'
                )

    def _line_by_line(self, block: Block) -> dict[str, Any]:
        texts: dict[str, list[str]] = {role: [] for role in self._keys}
        for number, line in block.lines():
            found = _object(self._path, number, line)
            for role, key in self._keys.items():
                value = found.get(key)
                if isinstance(value, dict | list | bool):
                    raise DataError(f"{self._path}: line {number}: the {role} {values.shown(str(value))} is neither a text nor a number")
                text = _id(value) if role in ("user", "item") else _text(value)
                if text is None:
                    raise DataError(f"{self._path}: line {number}: the {role} id {value} is no whole number")
                if not arrow.is_text(text):
                    raise DataError(
                        f"{self._path}: line {number}: the {role} {values.shown(text)} has half a surrogate pair, which is no text"
                    )
                texts[role].append(text)
        return {role: pa.array(found, pa.string()) for role, found in texts.items()}


def _ids(role: str, column: Any, where: values.Where) -> Any:
    if not column.null_count and not pa.types.is_string(column.type):
        return narrow(np.asarray(column).astype(np.int64))
    return values.ids(role, column.cast(pa.string()).fill_null(""), where)


def _is_exact(ids: Any) -> bool:
    """Return whether Arrow read ids as they are written: as a float it rounds a whole number that has no float of its own."""
    return not pa.types.is_floating(ids.type) or not values.fractions(np.asarray(ids.fill_null(0))).any()


def _id(value: Any) -> str | None:
    """Return an id as a text; None where it is a fraction, or a float that may stand for several whole numbers."""
    if not isinstance(value, float):
        return _text(value)
    return None if values.fractions(np.array([value])).any() else str(int(value))


def _object(path: Path, number: int, line: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: line {number}: not JSON ({one_line(error, 80)}): {values.shown(line)}") from None
    if not isinstance(found, dict):
        raise DataError(f"{path}: line {number}: not a JSON object: {values.shown(line)}")
    return found


def _text(value: Any) -> str:
    return "" if value is None else value if isinstance(value, str) else json.dumps(value)
