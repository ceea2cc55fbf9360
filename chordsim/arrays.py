"""The array types that everything is written in, whose shapes stand in the docstrings of those who use them; rows that are alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import torch

Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
#: Codes into a short list of words, such as `chordsim.methods.BINDINGS`.
Codes = npt.NDArray[np.uint8]
#: Arrays over the same rows, by name.
Columns = dict[str, npt.NDArray[Any]]
#: What training gives: tensors by name.
State = dict[str, "torch.Tensor"]

#: Rows that are told apart, at least: products of fewer rows may have other last bits.
_LEAST = 8


def dense(columns: Mapping[str, npt.NDArray[Any]]) -> Columns:
    """Return arrays that lie in memory in their own order, copied where they are views in another, which safetensors 0.8 saves wrong."""
    return {name: np.asarray(column, order="C") for name, column in columns.items()}


def runs(*columns: npt.NDArray[Any]) -> tuple[Ints, Ints]:
    """Find neighbours that are equal in all columns, [D, ...] each, so that what follows from them is computed once.

    Returns:
        The first row of each run, [R], and the place among those of each row's own run, [D]. The last is repeated up to a few
        rows, where there are as many.
    """
    rows = columns[0].shape[0]
    new = np.zeros(rows, np.bool_)
    new[:1] = True
    for column in columns:
        flat = column.reshape(rows, -1)
        new[1:] |= (flat[1:] != flat[:-1]).any(1)
    first = np.flatnonzero(new)
    spare = max(min(_LEAST, rows) - first.size, 0)
    return np.concatenate([first, np.repeat(first[-1:], spare)]), np.cumsum(new) - 1
