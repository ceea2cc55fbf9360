"""The order of a log is that of a stable sort by user and time, however many users there are and however times are written."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chordsim.data import ordering
from chordsim.data.ordering import by_user_and_time


@settings(max_examples=200)
@given(
    rows=st.integers(0, 400),
    users=st.sampled_from([1, 3, 50, 70_000, 2**31 - 1]),
    kind=st.sampled_from(["none", "ties", "wide", "parts"]),
    seed=st.integers(0, 1000),
)
def test_the_order_is_that_of_a_stable_sort(rows: int, users: int, kind: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    owner = rng.integers(0, users, rows).astype(np.int32)
    times = {"none": None, "ties": rng.integers(5, 9, rows), "wide": rng.integers(0, 2**52, rows), "parts": rng.random(rows) * 4}[kind]
    expected = np.argsort(owner, kind="stable") if times is None else np.lexsort((times, owner))
    assert np.array_equal(by_user_and_time(owner, times), expected)


@pytest.mark.parametrize("timed", [False, True])
def test_many_parts(monkeypatch: pytest.MonkeyPatch, timed: bool) -> None:
    monkeypatch.setattr(ordering, "_PART", 64)
    rng = np.random.default_rng(3)
    owner = rng.integers(0, 300_000, 5000).astype(np.int32)
    times = rng.integers(0, 40, 5000) if timed else None
    expected = np.lexsort((times, owner)) if timed else np.argsort(owner, kind="stable")
    assert np.array_equal(by_user_and_time(owner, times), expected)
