"""Items among others of their row against sets, whatever the order of the others and however few rows fit at a time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chordsim import among as room
from chordsim.among import among, pairs_of


@settings(max_examples=60)
@given(st.integers(0, 2**32 - 1), st.integers(0, 9), st.integers(0, 5), st.integers(1, 40), st.sampled_from([1, 60, 1 << 22]))
def test_items_are_among_others_as_in_sets(seed: int, rows: int, count: int, n_items: int, marks: int) -> None:
    draw = np.random.default_rng(seed)
    items = draw.integers(0, n_items + 1, (rows, count))
    many = int(draw.integers(0, 30)) if rows else 0
    others = draw.integers(0, max(rows, 1), many), draw.integers(0, n_items + 1, many)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(room, "_MARKS", marks)
        found = among(items, others, n_items)
    sets = [{int(i) for r, i in zip(*others, strict=True) if r == row} for row in range(rows)]
    assert found.shape == items.shape
    assert found.tolist() == [[int(i) in sets[row] for i in items[row]] for row in range(rows)]


def test_pairs_leave_pads_out() -> None:
    rows, items = pairs_of(np.array([[3, 0], [0, 0], [5, 2]]))
    assert rows.tolist() == [0, 2, 2] and items.tolist() == [3, 5, 2]
