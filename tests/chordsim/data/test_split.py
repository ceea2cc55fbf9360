"""The hold-out against a plain reference, and the promise that training cannot reach a target."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chordsim.data.interactions import Interactions, SourceInfo
from chordsim.data.split import Split, TrainLogs, shortest, split
from chordsim.errors import DataError


def make_log(sequences: list[list[int]]) -> Interactions:
    offsets = np.concatenate([[0], np.cumsum([len(s) for s in sequences])]).astype(np.int64)
    top = max(max(s) for s in sequences)
    names = np.arange(top + 1).astype(np.str_)
    names[0] = ""
    users = np.arange(len(sequences)).astype(np.str_)
    return Interactions(np.concatenate(sequences).astype(np.int32), offsets, None, users, names, SourceInfo("made", "", "file", "", 0, 0))


ROUNDS = st.integers(1, 4)


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[list[int]], int]:
    rounds = draw(ROUNDS)
    needed = shortest(rounds)
    sequences = draw(st.lists(st.lists(st.integers(1, 9), min_size=needed, max_size=needed + 6), min_size=1, max_size=8))
    return sequences, rounds


@given(cases(), st.integers(1, 8), st.data())
def test_every_round_against_a_plain_reference(case: tuple[list[list[int]], int], length: int, data: st.DataObject) -> None:
    sequences, rounds = case
    held = split(make_log(sequences), rounds, 1.0, seed=5)
    users = data.draw(st.lists(st.integers(0, len(sequences) - 1), max_size=6))
    ids = np.array(users, np.int64)
    for round in range(rounds + 1):
        history, targets = held.history(ids, round, length), held.targets(ids, round)
        rows, items = held.seen(ids, round)
        for d, user in enumerate(users):
            whole = sequences[user]
            at = len(whole) - rounds - 1 + round
            window = whole[:at][-length:]
            assert targets[d] == whole[at]
            assert list(history.items[d]) == [0] * (length - len(window)) + window
            assert history.lengths[d] == len(window)
            assert list(items[rows == d]) == whole[:at]
        assert history.items.dtype == targets.dtype == items.dtype == np.int64


@given(cases())
def test_train_logs_hold_what_comes_before_validation(case: tuple[list[list[int]], int]) -> None:
    sequences, rounds = case
    logs = split(make_log(sequences), rounds, 1.0, seed=5).train_logs()
    parts = [s[: len(s) - rounds - 1] for s in sequences]
    assert [list(logs.items[a:b]) for a, b in zip(logs.offsets, logs.offsets[1:], strict=False)] == parts
    rows, targets = logs.validation()
    assert list(targets) == [s[-rounds - 1] for s in sequences]
    assert [list(r[r > 0]) for r in logs.history(rows, 50).items] == parts
    seen_rows, seen_items = logs.seen(rows)
    assert [list(seen_items[seen_rows == v]) for v in rows] == parts
    assert list(logs.popularity) == [sum(p.count(i) for p in parts) for i in range(logs.n_items + 1)]
    assert min(len(p) for p in parts) >= 2, "at least one step to train on"


@settings(max_examples=30)
@given(cases(), st.randoms(use_true_random=False))
def test_targets_cannot_be_reached_from_training(case: tuple[list[list[int]], int], random: object) -> None:
    sequences, rounds = case
    log = make_log(sequences)
    other = log.items.copy()
    for end in log.offsets[1:]:
        other[end - rounds : end] = np.roll(other[end - rounds : end] % log.n_items + 1, 1)
    logs, again = (split(replace(log, items=i), rounds, 1.0, seed=5).train_logs() for i in (log.items, other))
    assert logs.digest() == again.digest()
    for array in (logs.items, logs.offsets, logs.user_ids, logs.validation_targets):
        assert not np.shares_memory(array, log.items) and not np.shares_memory(array, log.offsets)
    assert not any(isinstance(v, Interactions | Split) for v in vars(logs).values())


def test_digest_covers_every_field() -> None:
    logs = split(make_log([[1, 2, 3, 4, 5], [2, 3, 4, 1, 1]]), 1, 1.0, seed=5).train_logs()
    changed = [
        replace(logs, items=logs.items[::-1]),
        replace(logs, offsets=logs.offsets + 1),
        replace(logs, n_items=99),
        replace(logs, user_ids=logs.user_ids + 1),
        replace(logs, validation_targets=logs.validation_targets + 1),
    ]
    assert len({logs.digest(), *(c.digest() for c in changed)}) == 6


def test_cloud_share_leaves_users_out_of_training_only() -> None:
    log = make_log([[1 + (u + i) % 20 for i in range(6)] for u in range(2000)])
    held, everyone = split(log, 1, 0.3, seed=7), np.arange(2000)
    known = held.known(everyone)
    assert 0.25 < known.mean() < 0.35
    logs: TrainLogs = held.train_logs()
    assert np.array_equal(logs.user_ids, np.flatnonzero(known))
    assert np.array_equal(logs.popularity, np.bincount(log.items.reshape(2000, 6)[known, :4].ravel(), minlength=21))
    whole = split(log, 1, 1.0, seed=7)
    assert np.array_equal(held.targets(everyone, 1), whole.targets(everyone, 1))
    assert whole.known(everyone).all()
    assert not np.array_equal(known, split(log, 1, 0.3, seed=8).known(everyone))


def test_users_too_short_and_a_cloud_without_users_are_named() -> None:
    with pytest.raises(DataError, match="made: 2 rounds need 5 interactions of each user; user 1 has 4"):
        split(make_log([[1] * 5, [1] * 4]), 2, 1.0, seed=1)
    with pytest.raises(DataError, match="data.cloud_share = 1e-12 leaves the cloud none of 2 users"):
        split(make_log([[1] * 5, [1] * 5]), 2, 1e-12, seed=1)


def test_wrong_rounds_and_users_are_bugs_of_the_caller() -> None:
    held = split(make_log([[1, 2, 3, 4]]), 1, 1.0, seed=1)
    calls: list[Callable[[], object]] = [
        lambda: held.targets(np.array([0]), 2),
        lambda: held.targets(np.array([-1]), 1),
        lambda: held.seen(np.array([1]), 1),
        lambda: held.history(np.array([0]), 1, 0),
    ]
    for call in calls:
        with pytest.raises(ValueError):
            call()
