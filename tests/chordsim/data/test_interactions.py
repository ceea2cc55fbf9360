"""The log's order, ids and digest, against a plain reference."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chordsim.data.interactions import Interactions, SourceInfo
from chordsim.data.raw import RawLog
from chordsim.errors import DataError

SOURCE = SourceInfo("made", "", "file", "", 0, 0)
ROWS = st.lists(st.tuples(st.integers(1, 30), st.integers(1, 30), st.integers(0, 3)), min_size=1, max_size=80)


def build(rows: list[tuple[int, int, int]], times: bool = True) -> Interactions:
    users, items = ([str(r[i]) for r in rows] for i in (0, 1))
    user_tokens, item_tokens = list(dict.fromkeys(users)), list(dict.fromkeys(items))
    return RawLog(
        np.array([user_tokens.index(u) for u in users]),
        np.array(user_tokens),
        np.array([item_tokens.index(i) for i in items]),
        np.array(item_tokens),
        None,
        np.array([float(r[2]) for r in rows]) if times else None,
    ).to_interactions(SOURCE)


def tokens_by_user(log: Interactions) -> dict[str, list[str]]:
    spans = zip(log.user_tokens, log.offsets, log.offsets[1:], strict=False)
    return {str(user): list(log.item_tokens[log.items[start:end]]) for user, start, end in spans}


@given(ROWS, st.booleans())
def test_order_is_user_then_time_then_position(rows: list[tuple[int, int, int]], times: bool) -> None:
    log = build(rows, times)
    expected: dict[str, list[str]] = {}
    for user in sorted({r[0] for r in rows}):
        mine = [r for r in rows if r[0] == user]
        expected[str(user)] = [str(r[1]) for r in (sorted(mine, key=lambda r: r[2]) if times else mine)]
    assert tokens_by_user(log) == expected
    assert list(log.user_tokens) == list(expected), "numbers sort by value: 10 after 9"
    assert [int(t) for t in log.item_tokens[1:]] == sorted({r[1] for r in rows})
    assert log.item_tokens[0] == "" and log.items.min() >= 1


def test_tokens_that_are_not_all_numbers_sort_as_text(log_of: Callable[..., Interactions]) -> None:
    log = log_of([("b", "10"), ("b", "9"), ("a", "x")])
    assert list(log.user_tokens) == ["a", "b"] and list(log.item_tokens) == ["", "10", "9", "x"]


def test_equal_numbers_written_differently_stay_apart(log_of: Callable[..., Interactions]) -> None:
    assert list(log_of([("7", "1"), ("007", "1")]).user_tokens) == ["007", "7"]


def test_fractions_of_time_stamps_count_in_the_order(log_of: Callable[..., Interactions]) -> None:
    log = log_of([("u", "late", 5.75), ("u", "early", 5.25)])
    assert list(log.item_tokens[log.items]) == ["early", "late"]
    assert log.timestamps is not None and list(log.timestamps) == [5, 5]


def test_digest_tells_order_but_not_source(log_of: Callable[..., Interactions]) -> None:
    from dataclasses import replace

    log = log_of([("1", "1"), ("1", "2"), ("2", "1")])
    elsewhere = replace(log, source=replace(SOURCE, name="other", how="cache"))
    assert log.digest() == elsewhere.digest()
    assert log.digest() != log_of([("1", "2"), ("1", "1"), ("2", "1")]).digest()
    assert log.digest() != log_of([("1", "1", 0), ("1", "2", 0), ("2", "1", 0)]).digest()
    assert log.digest() != log_of([("1", "1"), ("2", "2"), ("2", "1")]).digest()


@given(ROWS, st.data())
def test_keep_closes_ids_up_and_changes_nothing_else(rows: list[tuple[int, int, int]], data: st.DataObject) -> None:
    log = build(rows)
    mask = np.array(data.draw(st.lists(st.booleans(), min_size=log.items.size, max_size=log.items.size)))
    if not mask.any():
        with pytest.raises(DataError, match="no interaction is left"):
            log.keep(mask)
        return
    kept = log.keep(mask)
    names = log.user_tokens[log.rows()]
    expected: dict[str, list[str]] = {}
    for item, user, stays in zip(log.item_tokens[log.items], names, mask, strict=True):
        if stays:
            expected.setdefault(str(user), []).append(str(item))
    assert tokens_by_user(kept) == expected
    assert set(np.unique(kept.items)) == set(range(1, kept.n_items + 1)), "every item that stays occurs"
    assert kept.source.rows_kept == mask.sum()


def test_minimum_rating_needs_ratings() -> None:
    raw = RawLog(np.array([0]), np.array(["u"]), np.array([0]), np.array(["i"]), None, None)
    with pytest.raises(DataError, match="data.min_rating is set"):
        raw.to_interactions(SOURCE, min_rating=4)


def test_minimum_rating_keeps_from_there_on() -> None:
    raw = RawLog(np.array([0, 0, 1]), np.array(["u", "v"]), np.array([0, 1, 1]), np.array(["i", "j"]), np.array([4.0, 3.5, 5.0]), None)
    log = raw.to_interactions(SOURCE, min_rating=4)
    assert tokens_by_user(log) == {"u": ["i"], "v": ["j"]}
    assert (log.source.rows_read, log.source.rows_kept) == (3, 2)
    with pytest.raises(DataError, match="rating of 6 or more"):
        raw.to_interactions(SOURCE, min_rating=6)
