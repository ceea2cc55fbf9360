"""A fast read of some ledger columns, file by file, for pages and comparisons: checked for schema, not for digests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from chordsim.arrays import Bools, Floats
from chordsim.errors import RunError
from chordsim.ledger.columns import BY_NAME, LIST, SCHEMA_VERSION, other_schema
from chordsim.ledger.damage import named
from chordsim.ledger.parquet import ledger_files, list_values

#: What readers count by.
_IDS = ("device_id", "user_id")


@dataclass(frozen=True)
class Part:
    """Some columns of one method's round.

    Attributes:
        method: The method.
        round: The round, from 1.
        values: Numbers [D]: int64 where the contract says so and nothing can be null, else float64 with NaN for
            null. Text columns hold codes into ``words``.
        words: What the codes of each text column stand for.
    """

    method: str
    round: int
    values: Mapping[str, npt.NDArray[Any]]
    words: Mapping[str, tuple[str, ...]]

    def __getitem__(self, name: str) -> npt.NDArray[Any]:
        return self.values[name]

    def __len__(self) -> int:
        return int(next(iter(self.values.values())).size)

    def floats(self, name: str) -> Floats:
        """Return a numeric column as float64, NaN for null, [D]."""
        return np.asarray(self.values[name], np.float64)

    def is_word(self, name: str, *texts: str) -> Bools:
        """Return where a text column holds one of the texts, [D]."""
        return np.isin(self.values[name], [code for code, word in enumerate(self.words[name]) if word in texts])

    def codes(self, name: str, words: Sequence[str]) -> npt.NDArray[np.int64]:
        """Return a text column as positions in ``words``, [D]; -1 for a word that is not among them."""
        places = np.array([words.index(word) if word in words else -1 for word in (*self.words[name], "")], np.int64)
        return np.asarray(places[self.values[name]], np.int64)


def scan(run: Path, columns: Sequence[str]) -> Iterator[Part]:
    """Yield the wanted columns of every ledger file, by method name, then round.

    Args:
        run: A run directory.
        columns: Names of the contract, other than method and round; ``list`` of a run that keeps lists, int32 [D, k].

    Raises:
        RunError: No ledger, or a file that is half-written, damaged or of another schema; the text names it.
    """
    for path in ledger_files(run):
        yield read_part(path, columns)


def read_part(path: Path, columns: Sequence[str]) -> Part:
    """Return the wanted columns of one ledger file; raises as `scan` does."""
    with named(path, "half-written or damaged, not a ledger file that can be read"), pq.ParquetFile(path) as file:
        meta = file.schema_arrow.metadata or {}
        version = meta.get(b"chordsim.schema_version", b"").decode(errors="replace")
        if version != str(SCHEMA_VERSION):
            raise RunError(f"{path}: ledger {other_schema(version or 'unknown')}")
        table = file.read(list(columns))
        method, round = meta[b"chordsim.method"].decode(), int(meta[b"chordsim.round"])
        values, words = {}, {}
        for name in columns:
            values[name], found = _column(table.column(name), name)
            if found is not None:
                words[name] = found
    return Part(method, round, values, words)


def _column(data: pa.ChunkedArray[Any], name: str) -> tuple[npt.NDArray[Any], tuple[str, ...] | None]:
    if name == LIST:
        return list_values(data), None
    contract = BY_NAME[name]
    if contract.dtype == "str":
        coded = data.combine_chunks()
        if not isinstance(coded, pa.DictionaryArray):
            coded = coded.dictionary_encode()
        return np.asarray(coded.indices).astype(np.int64), tuple(str(word) for word in coded.dictionary.to_pylist())
    if contract.nullable or contract.dtype == "float64":
        return np.asarray(data.cast(pa.float64()).to_numpy(), np.float64), None
    if data.null_count:
        raise ValueError(f"{name} is missing in some rows")
    whole = np.asarray(data.cast(pa.int64()).to_numpy(), np.int64)
    if name in _IDS and whole.min(initial=0) < 0:
        raise ValueError(f"{name} is negative in some rows")
    return whole, None
