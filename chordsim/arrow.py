"""Columns as Arrow holds them, made from their memory: `pyarrow.array` would load pandas, which takes 40 MB and most of a second."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from chordsim.arrays import Bools


def column(values: npt.NDArray[Any], null: Bools | None = None) -> pa.Array[Any]:
    """Return numbers, truth values or texts [D] as an Arrow array; numbers are not copied.

    Args:
        values: Of a type that Arrow has.
        null: Where there is no value, [D].
    """
    if values.dtype.kind in "UO":
        return texts(values.tolist())
    data = np.ascontiguousarray(values)
    held = np.packbits(data, bitorder="little") if data.dtype == np.bool_ else data
    there = None if null is None or not null.any() else pa.py_buffer(np.packbits(~null, bitorder="little").data)
    return pa.Array.from_buffers(pa.from_numpy_dtype(data.dtype), data.size, [there, pa.py_buffer(held.data)])


def is_text(value: str) -> bool:
    """Return whether a string can be written at all: JSON may hold half of a surrogate pair, which no encoding has."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def texts(values: Sequence[str]) -> pa.Array[Any]:
    """Return texts as an Arrow array."""
    return _rows([value.encode() for value in values], pa.string())


def binaries(values: Sequence[bytes]) -> pa.Array[Any]:
    """Return bytes of unequal length as an Arrow array."""
    return _rows(values, pa.binary())


def _rows(values: Sequence[bytes], kind: pa.DataType) -> pa.Array[Any]:
    offsets = np.zeros(len(values) + 1, np.int32)
    np.cumsum([len(value) for value in values], out=offsets[1:])
    return pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(offsets.data), pa.py_buffer(b"".join(values))])
