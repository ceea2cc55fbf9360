"""The retriever against counting by hand; and that it sees no target, adds none, and answers alike however it is asked."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from chordsim.config.model import SyntheticConfig
from chordsim.data import retriever
from chordsim.data.interactions import Interactions, SourceInfo
from chordsim.data.retriever import CREDIT, VOTERS, Retriever
from chordsim.data.split import Split, split
from chordsim.data.synthetic import generate

CANDIDATES = 100


def world(users: int = 60, items: int = 150, cloud_share: float = 1.0, seed: int = 3, rounds: int = 2) -> Split:
    log = generate(SyntheticConfig(users=users, items=items, groups=4, mean_length=20.0), seed, rounds + 3)
    return split(log, rounds, cloud_share, seed)


def by_hand(held: Split, user: int, *, repeat: bool) -> list[int]:
    """Votes of the user's last logged items, popularity among equals, smaller ids among equally popular ones."""
    logs = held.train_logs()
    rows = {int(u): logs.items[a:b].tolist() for u, a, b in zip(logs.user_ids, logs.offsets[:-1], logs.offsets[1:], strict=True)}
    popular, near = Counter(logs.items.tolist()), Counter()
    for row in rows.values():
        for at, item in enumerate(row):
            for place, credit in enumerate(CREDIT, 1):
                if at + place < len(row):
                    near[item, row[at + place]] += credit
                    near[row[at + place], item] += credit
    votes: Counter[int] = Counter()
    history = rows.get(user, [])
    for back, voter in enumerate(reversed(history[-VOTERS:])):
        for (before, item), credit in near.items():
            if before == voter:
                votes[item] += (VOTERS - back) * credit
    left = [i for i in range(1, logs.n_items + 1) if repeat or i not in history]
    return sorted(left, key=lambda i: (-votes[i], -popular[i], i))[:CANDIDATES]


@pytest.mark.parametrize(("repeat", "bits"), [(False, 63), (True, 63), (False, 20)])
def test_lists_are_those_counted_by_hand(repeat: bool, bits: int, monkeypatch: pytest.MonkeyPatch) -> None:
    # Where votes do not fit into one number, they are sorted by several.
    monkeypatch.setattr(retriever, "_BITS", bits)
    held = world(cloud_share=0.7)
    users = np.arange(held.log.n_users)
    got = Retriever(held.train_logs(), users.size, CANDIDATES, repeat=repeat).listed(users)
    assert got.shape == (users.size, CANDIDATES) and (~held.cloud_users).any()
    for user in users[::3].tolist():
        assert [i for i in got[user].tolist() if i] == by_hand(held, user, repeat=repeat)


def test_users_whom_the_cloud_does_not_know_get_the_most_popular_items() -> None:
    held = world(cloud_share=0.5)
    logs = held.train_logs()
    lists = Retriever(logs, held.log.n_users, CANDIDATES, repeat=False).listed(np.flatnonzero(~held.cloud_users))
    popular = sorted(range(1, logs.n_items + 1), key=lambda i: (-logs.popularity[i], i))[:CANDIDATES]
    assert (lists == np.array(popular)).all()


def test_who_is_asked_for_together_and_in_which_order_changes_nothing() -> None:
    held = world(users=200)
    whole = Retriever(held.train_logs(), 200, CANDIDATES, repeat=False).listed(np.arange(200))
    other = Retriever(held.train_logs(), 200, CANDIDATES, repeat=False)
    order = np.random.default_rng(1).permutation(200)
    for part in np.array_split(order, 13):
        assert np.array_equal(other.listed(np.repeat(part, 2)), whole[np.repeat(part, 2)])


def test_no_target_and_no_validation_item_moves_a_list() -> None:
    held = world()
    log = held.log
    place = np.arange(log.items.size) - np.repeat(log.offsets[1:], log.lengths)
    later = place >= -held.rounds - 1
    moved = np.where(later, log.items % log.n_items + 1, log.items).astype(np.int32)
    other = replace(held, log=Interactions(moved, log.offsets, log.timestamps, log.user_tokens, log.item_tokens, log.source))
    users = np.arange(log.n_users)
    lists = [Retriever(h.train_logs(), users.size, CANDIDATES, repeat=False).listed(users) for h in (held, other)]
    assert np.array_equal(*lists)
    # A target is never put in: some users' targets are not on their lists.
    hit = (lists[0] == held.targets(users, 1)[:, None]).any(1)
    assert 0 < hit.mean() < 1


def test_lists_hold_distinct_items_that_the_cloud_has_not_seen_with_the_user() -> None:
    held = world()
    logs, users = held.train_logs(), np.arange(held.log.n_users)
    lists = Retriever(logs, users.size, CANDIDATES, repeat=False).listed(users)
    for row, user in zip(lists, users, strict=True):
        real = row[row > 0].tolist()
        assert len(set(real)) == len(real) and not set(real) & set(logs.items[logs.offsets[user] : logs.offsets[user + 1]].tolist())


def test_where_fewer_items_are_left_the_list_is_padded_at_the_end() -> None:
    items = np.array([1, 2, 3, 4, 1, 2, 3, 4], np.int32)
    log = Interactions(
        items, np.array([0, 4, 8]), None, np.array(["a", "b"]), np.array(["", "1", "2", "3", "4"]), SourceInfo("t", "", "file", "", 8, 8)
    )
    lists = Retriever(split(log, 1, 1.0, 1).train_logs(), 2, CANDIDATES, repeat=False).listed(np.arange(2))
    # Both had 1 and 2 in the logs; 3 is the validation item and 4 the target, which no count reaches.
    assert lists.tolist() == [[3, 4, 0, 0]] * 2
