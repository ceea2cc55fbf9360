"""A column comes back from a checkpoint's parts as it was, whatever stands where, and zeros take no room."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from chordsim.store import sparse

TYPES = [np.uint16, np.int32, np.float32, np.float64, np.bool_]


def _columns(kind: type) -> st.SearchStrategy[np.ndarray[Any, Any]]:
    shapes = st.sampled_from([(0,), (7,), (0, 3), (6, 5), (4, 1), (3, 8)])
    return arrays.arrays(kind, shapes, elements={"allow_nan": False} if np.dtype(kind).kind == "f" else None)


@given(st.sampled_from(TYPES).flatmap(_columns))
def test_a_column_comes_back(column: np.ndarray[Any, Any]) -> None:
    parts = sparse.parts_of(column)
    again = np.zeros_like(column)
    sparse.fill(again, parts)
    assert (again == column).all()
    made = sparse.empty(parts, len(column))
    assert made.shape == column.shape and made.dtype == column.dtype


def test_more_rows_than_are_looked_at_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sparse, "_ROWS", 3)
    column = np.arange(88, dtype=np.uint16).reshape(11, 8) * (np.arange(11) % 3 > 0)[:, None].astype(np.uint16)
    column[5, 4:] = 0
    column[1, 0] = 2**16 - 1
    parts = sparse.parts_of(column)
    assert parts[sparse.IDS].tolist() == [1, 2, 4, 5, 7, 8, 10] and parts[sparse.LENGTHS].tolist() == [8, 8, 8, 4, 8, 8, 8]
    again = np.zeros_like(column)
    sparse.fill(again, parts)
    assert (again == column).all()


def test_parts_of_another_column_are_an_error() -> None:
    parts = sparse.parts_of(np.ones((4, 3), np.int32))
    for other in (np.zeros((3, 3), np.int32), np.zeros((4, 2), np.int32)):
        with pytest.raises((IndexError, ValueError)):
            sparse.fill(other, parts)


def test_whole_rows_as_an_earlier_build_kept_them_are_read() -> None:
    rows = np.array([[3, 0, 5], [7, 0, 0]], np.int32)
    parts = {sparse.IDS: np.array([1, 3]), sparse.VALUES: rows}
    column = sparse.empty(parts, 5)
    assert column.shape == (5, 3) and column.dtype == np.int32
    small = np.zeros((5, 3), np.uint16)
    for one in (column, small):
        sparse.fill(one, parts)
        assert (one[[1, 3]] == rows).all() and not one[[0, 2, 4]].any()
