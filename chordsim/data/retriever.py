"""The retriever of `protocol.ranking = "candidates"`: which items the cloud thinks of for a user, from its own logs alone.

What often came soon after the user's last items, then what is popular. Everything is counted in whole numbers, so the lists
are the same on every machine. It is none of the methods that are compared: a method that chose the candidates itself would
be asked nothing that it finds hard, and the others would be asked what it finds easy.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from chordsim.data.split import TrainLogs
from chordsim.ragged import Bools, Ints

#: Length of a list.
CANDIDATES = 100
#: An item counts towards the ones before it, up to this many places back: 6 for the next place, then 3 and 2.
CREDIT = (6, 3, 2)
#: Followers kept of each item; what is rarer than that hardly ever reaches a list.
FOLLOWERS = 300
#: How many of the user's last items vote; the last has this weight, the one before one less, and so on.
VOTERS = 10
#: Users whose lists are made together, which bounds the memory that their scores take.
_ROWS = 64


class Retriever:
    """Lists by user, made when they are first asked for.

    The cloud's logs end before the hold-out, so a user's list is the same in every round. Users whom the cloud does not
    know get the most popular items.
    """

    def __init__(self, logs: TrainLogs, users: int, *, repeat: bool) -> None:
        """Count who follows whom.

        Args:
            logs: What the cloud may see.
            users: How many users there are, known to the cloud or not.
            repeat: Whether an item that the user already had may be listed.
        """
        self._logs, self._repeat = logs, repeat
        popular = np.lexsort((np.arange(1, logs.n_items + 1), -logs.popularity[1:])) + 1
        # Place in the popularity list from behind, at least 1: it decides among equal votes, and no two items share it.
        self._standing = np.zeros(logs.n_items + 1, np.int64)
        self._standing[popular] = np.arange(logs.n_items, 0, -1)
        self._starts, self._next, self._credit = followers(logs)
        self._row = np.full(users, -1, np.int64)
        playing = logs.user_ids < users
        self._row[logs.user_ids[playing]] = np.flatnonzero(playing)
        self._lists = np.zeros((users, min(CANDIDATES, logs.n_items)), np.int32)
        self._made = np.zeros(users, np.bool_)

    def listed(self, user_ids: Ints) -> Ints:
        """Return each user's list, best first, item ids [D, n]; 0 pads at the end where fewer items are left."""
        missing = np.unique(user_ids[~self._made[user_ids]])
        for at in range(0, missing.size, _ROWS):
            some = missing[at : at + _ROWS]
            self._lists[some] = self._make(some)
            # After the lists: another thread that looks meanwhile makes the same ones.
            self._made[some] = True
        return self._lists[user_ids].astype(np.int64)

    def _make(self, users: Ints) -> Ints:
        """Return the lists of distinct users [D, n]."""
        logs, rows = self._logs, self._row[users]
        known = rows >= 0
        votes = np.zeros((users.size, logs.n_items + 1), np.int64)
        history = logs.history(rows[known], VOTERS).items
        for back in range(VOTERS):
            voters = history[:, VOTERS - 1 - back]
            count = np.where(voters > 0, self._starts[voters + 1] - self._starts[voters], 0)
            at = np.repeat(self._starts[voters] - (np.cumsum(count) - count), count) + np.arange(int(count.sum()))
            # An item stands once among the followers of another, so no cell is met twice.
            votes[np.repeat(np.flatnonzero(known), count), self._next[at]] += (VOTERS - back) * self._credit[at]
        worth = votes * (logs.n_items + 1) + self._standing
        if not self._repeat:
            row, item = logs.seen(rows[known])
            worth[np.flatnonzero(known)[row], item] = 0
        worth[:, 0] = 0
        kept = self._lists.shape[1]
        best = np.argpartition(-worth, kept - 1, axis=1)[:, :kept]
        order = np.argsort(-np.take_along_axis(worth, best, 1), axis=1)
        best = np.take_along_axis(best, order, 1)
        return np.where(np.take_along_axis(worth, best, 1) > 0, best, 0)


def followers(logs: TrainLogs) -> tuple[Ints, Ints, Ints]:
    """Return what follows each item, as (starts [n_items + 2], items, credit): the most credited first, equal ones by id."""
    n = logs.n_items + 1
    owner = np.repeat(np.arange(len(logs)), np.diff(logs.offsets))
    keys: list[Ints] = []
    credits: list[Ints] = []
    for place, credit in enumerate(CREDIT, 1):
        same: Bools = owner[place:] == owner[:-place]
        keys.append(logs.items[:-place][same] * n + logs.items[place:][same])
        credits.append(np.full(keys[-1].size, credit, np.int64))
    key, credit_of = _sums(np.concatenate(keys), np.concatenate(credits))
    before, after = key // n, key % n
    order = np.lexsort((after, -credit_of, before))
    before, after, credit_of = before[order], after[order], credit_of[order]
    place_of = np.arange(before.size) - np.searchsorted(before, before)
    kept = place_of < FOLLOWERS
    starts = np.zeros(n + 1, np.int64)
    np.cumsum(np.bincount(before[kept], minlength=n), out=starts[1:])
    return starts, after[kept], credit_of[kept]


def _sums(keys: Ints, values: Ints) -> tuple[Ints, npt.NDArray[np.int64]]:
    """Return distinct keys, ascending, and the sum of the values of each."""
    order = np.argsort(keys, kind="stable")
    keys, values = keys[order], values[order]
    first = np.flatnonzero(np.diff(keys, prepend=-1) != 0)
    return keys[first], np.add.reduceat(values, first) if first.size else np.zeros(0, np.int64)
