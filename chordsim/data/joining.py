"""What was read part by part, joined into one log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from chordsim.arrays import Floats, Ints
from chordsim.data.interactions import Tokens
from chordsim.data.raw import Codes, RawLog

#: Ids that are whole numbers within so many times the rows are counted off; a wider range goes through a table of those that occur.
_SPAN, _LEAST_SPAN = 4, 1 << 20
_HALF = 1 << 31
Ids = Any
"""int32 or int64 [N] where all are whole numbers, else an Arrow dictionary array of texts."""


@dataclass(frozen=True)
class Part:
    """Columns of some rows, in file order.

    Attributes:
        users: `Ids`.
        items: `Ids`.
        ratings: Shape [N], NaN where there is none; or None where the file has no ratings.
        times: Shape [N], or None.
    """

    users: Ids
    items: Ids
    ratings: Floats | None
    times: Floats | Ints | None


def narrow(ids: npt.NDArray[np.int64]) -> Ids:
    """Return whole numbers in half the memory, where they fit."""
    return ids.astype(np.int32) if ids.size and -_HALF <= int(ids.min()) and int(ids.max()) < _HALF else ids


def joined(parts: list[Part]) -> RawLog:
    """Return the log of at least one part; empties the list, so that no column lies in memory twice."""
    users, items = [part.users for part in parts], [part.items for part in parts]
    ratings = [part.ratings for part in parts if part.ratings is not None]
    times = [part.times for part in parts if part.times is not None]
    parts.clear()
    return RawLog(*_joined_ids(users), *_joined_ids(items), _joined(ratings), _joined(times))


def _joined(chunks: list[Any]) -> Any:
    whole = np.concatenate(chunks) if chunks else None
    chunks.clear()
    return whole


def _joined_ids(parts: list[Ids]) -> tuple[Codes, Tokens]:
    if all(isinstance(part, np.ndarray) for part in parts):
        return _coded(parts)
    chunks = [_as_texts(part) if isinstance(part, np.ndarray) else part for part in parts]
    parts.clear()
    whole: Any = pa.chunked_array(chunks).unify_dictionaries().combine_chunks()
    return np.asarray(whole.indices).astype(np.int32, copy=False), np.array(whole.dictionary.to_pylist(), np.str_)


def _coded(parts: list[npt.NDArray[np.int64]]) -> tuple[Codes, Tokens]:
    """Return whole numbers as codes into their distinct values, as texts; empties the list."""
    low, high = min(int(part.min()) for part in parts), max(int(part.max()) for part in parts)
    rows = sum(part.size for part in parts)
    if high - low >= max(_SPAN * rows, _LEAST_SPAN):
        coded: Any = pa.array(_joined(parts)).dictionary_encode()
        return np.asarray(coded.indices), _as_words(np.asarray(coded.dictionary))
    there = np.zeros(high - low + 1, np.bool_)
    for part in parts:
        there[_from(low, part)] = True
    rank = np.cumsum(there, dtype=np.int32) - np.int32(1)
    codes, at = np.empty(rows, np.int32), 0
    while parts:
        part = parts.pop(0)
        codes[at : at + part.size] = rank.take(_from(low, part))
        at += part.size
    return codes, _as_words(np.flatnonzero(there) + low)


def _from(low: int, part: npt.NDArray[np.signedinteger[Any]]) -> npt.NDArray[np.signedinteger[Any]]:
    return part - np.int64(low) if low else part


def _as_texts(ids: npt.NDArray[np.int64]) -> Any:
    coded: Any = pa.array(ids).dictionary_encode()
    return pa.DictionaryArray.from_arrays(coded.indices, coded.dictionary.cast(pa.string()))


def _as_words(values: npt.NDArray[np.int64]) -> Tokens:
    """Return whole numbers as texts, no wider than the widest."""
    width = max(len(str(int(values.min()))), len(str(int(values.max()))))
    return values.astype(f"U{width}")
