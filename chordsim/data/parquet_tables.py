"""Parquet files: columns that have types already, batch by batch."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from chordsim.config.model import DataConfig
from chordsim.data import roles, values
from chordsim.data.content import Limits
from chordsim.data.joining import Part, narrow
from chordsim.data.roles import Roles
from chordsim.data.values import TimeKind
from chordsim.door import open_regular
from chordsim.errors import DataError, one_line

MAGIC = b"PAR1"
_BATCH, _HASHED = 1 << 20, 1 << 20
_SAMPLE = 1000
#: Of an interaction in memory: ids, rating and time.
_ROW_BYTES = 24


class Parquet:
    """The reader of one file.

    Attributes:
        roles: Which column is what.
        sha256: Of the file's bytes.
    """

    def __init__(self, path: Path, config: DataConfig, limits: Limits) -> None:
        """Open a file and find out which column is what.

        Raises:
            DataError: Missing, damaged, too large, or roles that are not clear.
        """
        self._path = path
        with open_regular(path, limits.content_bytes) as raw:
            size, running = os.fstat(raw.fileno()).st_size, hashlib.sha256()
            while block := raw.read(_HASHED):
                running.update(block)
        self.sha256 = running.hexdigest()
        try:
            self._file = pq.ParquetFile(path, memory_map=False, pre_buffer=False)
            schema = self._file.schema_arrow
            rows = self._file.metadata.num_rows
        except (pa.ArrowException, OSError) as error:
            raise DataError(f"{path}: damaged or no Parquet file ({one_line(error, 120)})") from None
        wanted = rows * _ROW_BYTES
        if wanted > limits.content_bytes or wanted > max(limits.ratio_from_bytes, size * limits.ratio):
            raise DataError(f"{path}: {rows:,} rows, too many to unpack from {size:,} bytes; split the file")
        if not rows:
            raise DataError(f"{path}: no interaction in it")
        if len(schema.names) > limits.columns:
            raise DataError(f"{path}: {len(schema.names):,} columns; {limits.columns:,} at most")
        self._names: list[str] = schema.names
        nested = [pa.types.is_nested(type) for type in schema.types]
        flat = [place for place, other in enumerate(nested) if not other]
        try:
            head = next(self._batches(flat, _SAMPLE), {})
        except (pa.ArrowException, OSError) as error:
            raise DataError(f"{path}: damaged ({one_line(error, 120)})") from None
        length = len(head[flat[0]]) if flat else 0
        texts = [
            [""] * length if other else ["" if v is None else str(v) for v in head[place].to_pylist()] for place, other in enumerate(nested)
        ]
        sample = [list(row) for row in zip(*texts, strict=True)]
        # No id is nested; its name stays free for a column that may be one.
        names = [f"{name} (nested)" if other else name for name, other in zip(schema.names, nested, strict=True)]
        self.roles: Roles = roles.by_name(f"{path}", names, sample, config.columns)

    def _batches(self, places: Sequence[int], rows: int) -> Iterator[dict[int, Any]]:
        """Yield some columns by place, so many rows at a time: the file tells columns by names, which two of them may share."""
        wanted = dict.fromkeys(self._names[place] for place in places)
        for batch in self._file.iter_batches(batch_size=rows, columns=list(wanted)):
            alike = {name: batch.schema.get_all_field_indices(name) for name in wanted}
            yield {place: batch.column(alike[self._names[place]][self._names[:place].count(self._names[place])]) for place in places}

    def parts(self) -> Iterator[Part]:
        """Yield the columns, batch by batch.

        Raises:
            DataError: Damaged, or a value that cannot be; names its row, from 1.
        """
        time: TimeKind | None = None
        before = 0
        batches = self._batches(list(self.roles.places.values()), _BATCH)
        while True:
            try:
                batch = next(batches, None)
            except (pa.ArrowException, OSError) as error:
                raise DataError(f"{self._path}: damaged after row {before:,} ({one_line(error, 120)})") from None
            if batch is None:
                return

            def where(row: int, before: int = before) -> str:
                return f"{self._path}: row {before + row + 1:,}"

            column = {role: batch[place] for role, place in self.roles.places.items()}
            ids = [_ids(role, column[role], where) for role in ("user", "item")]
            ratings = values.rating_column(column["rating"], where) if "rating" in column else None
            times = None
            if "timestamp" in column:
                times, time = values.time_column(column["timestamp"], where, time)
            before += len(column["user"])
            yield Part(ids[0], ids[1], ratings, times)


def _ids(role: str, column: Any, where: values.Where) -> Any:
    """Return ids as they are where they are whole numbers, else as texts."""
    type = column.type
    if column.null_count:
        raise DataError(f"{where(values.first(np.asarray(column.is_null())) or 0)}: the {role} id is missing")
    if pa.types.is_integer(type) and not pa.types.is_uint64(type):
        return narrow(np.asarray(column).astype(np.int64, copy=False))
    if pa.types.is_floating(type):
        # A table library makes floats of whole numbers where a value was missing once.
        numbers = np.asarray(column).astype(np.float64, copy=False)
        row = values.first(values.fractions(numbers))
        if row is not None:
            raise DataError(f"{where(row)}: the {role} id {numbers[row]} is no whole number")
        return numbers.astype(np.int64)
    if pa.types.is_dictionary(type):
        return values.ids(role, pa.DictionaryArray.from_arrays(column.indices.cast(pa.int32()), column.dictionary.cast(pa.string())), where)
    try:
        return values.ids(role, column.cast(pa.string()), where)
    except pa.ArrowException:
        raise DataError(f"{where(0)}: the {role} ids are of type {type}: give whole numbers or texts") from None
