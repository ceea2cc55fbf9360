"""Device columns as a checkpoint keeps them: rows that are not zeros, without the zeros at their ends."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
#: Rows that are looked at together: what stands beside the column fits the processor's cache.
_ROWS = 1 << 11
IDS, VALUES, LENGTHS, WIDTH = "ids", "values", "lengths", "width"
#: Instead of values: unsigned numbers of two bytes, as signed ones, bit for bit. Not every version of torch knows the former.
UNSIGNED = "unsigned"


def parts_of(column: Array) -> dict[str, Array]:
    """Return what `fill` needs to write a column [D] or [D, W] again."""
    if column.ndim == 1:
        touched = np.flatnonzero(column)
        return {IDS: touched, **_told(column[touched])}
    words = _words(column)
    each = words.dtype.itemsize // column.dtype.itemsize
    ids, lengths, values = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)], [np.zeros(0, words.dtype)]
    for at in range(0, len(words), _ROWS):
        block = words[at : at + _ROWS]
        found = block != 0
        touched = np.flatnonzero(found.any(1))
        length = found.shape[1] - found[touched, ::-1].argmax(1)
        ids.append(at + touched)
        lengths.append(each * length)
        values.append(block[touched][np.arange(found.shape[1]) < length[:, None]])
    told = {IDS: np.concatenate(ids), LENGTHS: np.concatenate(lengths), WIDTH: np.array([column.shape[1]])}
    return {**told, **_told(np.concatenate(values).view(column.dtype))}


def _words(column: Array) -> Array:
    """Return a column [D, W] as rows of the largest unsigned numbers that its rows are made of; a few zeros more are kept, sooner."""
    row_bytes = column.shape[1] * column.dtype.itemsize
    sizes = (size for size in (8, 4, 2, 1) if row_bytes % size == 0 and size >= column.dtype.itemsize)
    return np.ascontiguousarray(column).view(f"u{next(sizes)}")


def empty(parts: Mapping[str, Array], rows: int) -> Array:
    """Return a column of zeros that `fill` can write these parts into."""
    values = _values(parts)
    return np.zeros((rows, int(parts[WIDTH][0])) if WIDTH in parts else (rows, *values.shape[1:]), values.dtype)


def fill(column: Array, parts: Mapping[str, Array]) -> None:
    """Write the rows that `parts_of` told, or whole rows as an earlier build kept them, into a column of zeros.

    Raises:
        IndexError, ValueError: The parts are not of such a column.
    """
    values = _values(parts)
    if WIDTH not in parts:
        column[parts[IDS]] = values
        return
    for ids, lengths, inside in _blocks(parts):
        rows = np.zeros((ids.size, column.shape[1]), column.dtype)
        rows[np.arange(column.shape[1]) < lengths[:, None]] = values[inside]
        column[ids] = rows


def _blocks(parts: Mapping[str, Array]) -> Iterator[tuple[Array, Array, slice]]:
    """Yield ids, lengths, and where their values stand."""
    ends = np.cumsum(parts[LENGTHS])
    for at in range(0, len(ends), _ROWS):
        some = slice(at, at + _ROWS)
        last = min(at + _ROWS, len(ends)) - 1
        yield parts[IDS][some], parts[LENGTHS][some], slice(int(ends[at - 1]) if at else 0, int(ends[last]))


def _told(values: Array) -> dict[str, Array]:
    return {UNSIGNED: values.view(np.int16)} if values.dtype == np.uint16 else {VALUES: values}


def _values(parts: Mapping[str, Array]) -> Array:
    return parts[UNSIGNED].view(np.uint16) if UNSIGNED in parts else parts[VALUES]
