"""The phone's cache of item rows against a naive phone with a list, and what it says of it on the wire."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chordsim.ragged import Ragged
from chordsim.round.item_cache import Session, compiled, held_dtype, session
from chordsim.wire.item_rows import ask_bytes, pack_asks, pack_item_rows, row_bytes, unpack_asks, unpack_item_rows


class Naive:
    """One phone that keeps a list of ids, the most recently used first."""

    def __init__(self, room: int) -> None:
        self.room, self.held = room, list[int]()

    def session(self, history: list[int], listed: list[int]) -> tuple[list[int], list[int]]:
        recent = list(dict.fromkeys(item for item in reversed(history) if item))
        lacks = [item for item in listed if item and item not in self.held]
        consumed = [item for item in recent if item not in self.held and item not in listed]
        used = list(dict.fromkeys([*recent, *(item for item in listed if item)]))
        self.held = [*used, *(item for item in self.held if item not in used)][: self.room]
        return lacks, consumed


@pytest.mark.parametrize("serve", [session, compiled])
@settings(max_examples=60)
@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.integers(1, 6), st.integers(0, 12), st.sampled_from([25, 70_000]))
def test_sessions_equal_those_of_a_naive_phone(
    serve: Callable[..., Session], seed: int, window: int, count: int, spare: int, n_items: int
) -> None:
    draw = np.random.default_rng(seed)
    devices, items, room = 7, 25, window + count + spare
    held = np.zeros((devices, room), held_dtype(n_items))
    phones = [Naive(room) for _ in range(devices)]
    for _ in range(6):
        history = draw.integers(0, items + 1, (devices, window))
        listed = np.array([draw.permutation(items)[:count] + 1 for _ in range(devices)])
        listed[:, count - int(draw.integers(0, count)) :] = 0
        told = serve(held, history, listed)
        assert told.held.dtype == held.dtype == (np.uint16 if n_items == 25 else np.int32)
        for d, phone in enumerate(phones):
            lacks, consumed = phone.session(history[d].tolist(), listed[d].tolist())
            assert listed[d][told.lacks[d]].tolist() == lacks
            assert [i for i in told.consumed[d].tolist() if i] == consumed
            assert [i for i in told.held[d].tolist() if i] == phone.held
            assert told.asked[d] == len(lacks) + len(consumed)
        held = told.held


@pytest.mark.parametrize("serve", [session, compiled])
def test_a_second_session_with_the_same_list_asks_for_nothing(serve: Callable[..., Session]) -> None:
    history, listed = np.array([[0, 3, 3, 5]]), np.array([[7, 5, 2]])
    first = serve(np.zeros((1, 9), np.uint16), history, listed)
    assert first.asked.tolist() == [4] and first.held.tolist() == [[5, 3, 7, 2, 0, 0, 0, 0, 0]]
    assert serve(first.held, history, listed).asked.tolist() == [0]


@pytest.mark.parametrize("serve", [session, compiled])
def test_a_cache_that_cannot_hold_a_session_is_an_error(serve: Callable[..., Session]) -> None:
    with pytest.raises(ValueError, match="no window of 4 items and list of 3"):
        serve(np.zeros((1, 6), np.int32), np.zeros((1, 4), np.int64), np.zeros((1, 3), np.int64))


@settings(max_examples=40)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(0, 6), st.sampled_from([20, 300, 70_000]))
def test_asks_come_back_as_they_went_and_are_as_long_as_told(seed: int, listed: int, most: int, n_items: int) -> None:
    draw = np.random.default_rng(seed)
    lacks = draw.random((5, listed)) < 0.5
    consumed = np.zeros((5, most), np.int64)
    for row in consumed:
        count = int(draw.integers(0, most + 1))
        row[:count] = draw.permutation(n_items)[:count] + 1
    rows = pack_asks(lacks, consumed, n_items)
    assert rows.lengths.tolist() == ask_bytes(listed, (consumed > 0).sum(1), n_items).tolist()
    again = unpack_asks(rows, listed, most, n_items)
    assert (again[0] == lacks).all() and (again[1] == consumed).all() and again[2].all()


@given(st.lists(st.binary(max_size=12), min_size=1, max_size=6))
def test_any_bytes_are_an_ask_or_unsound_and_spoil_no_other(payloads: list[bytes]) -> None:
    good = pack_asks(np.array([[True, False, True]]), np.array([[4, 0]]), 9)
    lacks, consumed, sound = unpack_asks(Ragged.of_rows([*payloads, good[0]]), 3, 2, 9)
    assert sound[-1] and lacks[-1].tolist() == [True, False, True] and consumed[-1].tolist() == [4, 0]
    assert not lacks[:-1][~sound[:-1]].any() and not consumed[:-1][~sound[:-1]].any()


@pytest.mark.parametrize("spoilt", [b"\x08", b"\x00\x00", b"\x00\x0a", b"\x00\x04\x04", b"\x00\x01\x02\x03", b""])
def test_asks_beyond_list_or_catalogue_are_unsound(spoilt: bytes) -> None:
    assert not unpack_asks(Ragged.of_rows([spoilt]), 3, 2, 9)[2].any()


def test_rows_come_back_in_the_order_of_the_ask() -> None:
    stored = np.arange(60, dtype=np.uint8).reshape(10, 6)
    rows = pack_item_rows(stored, [np.array([3, 1]), np.array([], np.int64)])
    found = unpack_item_rows(rows[0], 2, 6)
    assert found is not None and (found == stored[[3, 1]]).all()
    assert rows.lengths.tolist() == [12, 0] and unpack_item_rows(rows[0], 3, 6) is None
    assert [row_bytes(64, bits) for bits in (32, 16, 8, 4, 2)] == [256, 128, 68, 36, 20]
