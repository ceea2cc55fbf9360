"""The retriever of `protocol.ranking = "candidates"`: which items the cloud thinks of for a user, from its own logs alone.

What often stood near the user's last items in anybody's log, then what is popular. Everything is counted in whole numbers, so the lists
are the same on every machine. It is none of the methods that are compared: a method that chose the candidates itself would
be asked nothing that it finds hard, and the others would be asked what it finds easy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from chordsim.arrays import Bools, Ints
from chordsim.config.model import BackboneConfig, TrainingConfig
from chordsim.data.split import TrainLogs

#: What two items of one user's log give one another that stand next to one another, one place further apart, and so on.
CREDIT = (6, 5, 4, 3, 2, 1)
#: Neighbours kept of each item; what is rarer than that hardly ever reaches a list.
NEIGHBOURS = 300
#: How many of the user's last items vote; the last has this weight, the one before one less, and so on.
VOTERS = 10
#: Users whose lists are made together, which bounds the memory that their votes take.
_ROWS = 256
#: What a whole number holds beside its sign: where all that is sorted by fits into one, that is many times sooner.
_BITS = 63
#: Cells of a table for each number that is added up in it; a sparser one takes more time than sorting.
_DENSE = 8


@dataclass(frozen=True)
class ListForm:
    """Which lists `protocol.ranking = "candidates"` ranks.

    Attributes:
        retriever: Who lists: ``counts`` or a ``model``.
        length: Of a list.
        repeat: Whether what a user had before may be listed.
        backbone: Of a model, where it is not that of phones.
        training: Of a model, where it is not that of methods.
    """

    retriever: str
    length: int
    repeat: bool
    backbone: BackboneConfig | None = None
    training: TrainingConfig | None = None

    def recipe(self) -> dict[str, Any]:
        """Return what lists in training depend on (JSON)."""
        parts = {"backbone": self.backbone, "training": self.training}
        own = {name: part.model_dump(mode="json") for name, part in parts.items() if part is not None}
        return {"retriever": self.retriever, "length": self.length, "repeat": self.repeat, **own}


class Lists(Protocol):
    """What the cloud lists for users, whoever makes it."""

    def listed(self, user_ids: Ints) -> Ints:
        """Return each user's list, best first, item ids [D, n]; 0 pads at the end."""
        ...


class Counts:
    """What stood near what in some logs, and what that lists for anybody's history."""

    def __init__(self, logs: TrainLogs, length: int) -> None:
        """Count.

        Args:
            logs: Where is counted.
            length: Of a list; shorter where the catalogue is.
        """
        popular = np.lexsort((np.arange(1, logs.n_items + 1), -logs.popularity[1:])) + 1
        # Place in the popularity list from behind, at least 1: it decides among equal votes, and no two items share it.
        self._standing = np.zeros(logs.n_items + 1, np.int64)
        self._standing[popular] = np.arange(logs.n_items, 0, -1)
        self._popular = popular
        self._starts, self._near, self._credit = neighbours(logs)
        self.length = min(length, logs.n_items)

    def listed(self, history: Ints, had: tuple[Ints, Ints]) -> Ints:
        """Return lists [D, n], best first; 0 pads at the end where fewer items are left.

        Args:
            history: The last `VOTERS` items of each, [D, VOTERS], 0 pads on the left.
            had: Index pairs (row, item) of what is not listed.
        """
        n, kept = self._standing.size, self.length
        cells, votes = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
        for back in range(VOTERS):
            voters = history[:, VOTERS - 1 - back]
            count = np.where(voters > 0, self._starts[voters + 1] - self._starts[voters], 0)
            at = np.repeat(self._starts[voters] - (np.cumsum(count) - count), count) + np.arange(int(count.sum()))
            cells.append(np.repeat(np.arange(len(history)), count) * n + self._near[at])
            votes.append((VOTERS - back) * self._credit[at])
        cell, vote = _sums(np.concatenate(cells), np.concatenate(votes))
        out_of_it = np.sort(had[0] * n + had[1])
        cell, vote = (part[~_among(cell, out_of_it)] for part in (cell, vote))
        cell = self._by_vote(cell, vote)
        owner = cell // n
        place = np.arange(cell.size) - np.searchsorted(owner, np.arange(len(history)))[owner]
        out = np.zeros((len(history), kept), np.int32)
        out[owner[place < kept], place[place < kept]] = (cell % n)[place < kept]
        for short in np.flatnonzero(out[:, -1] == 0).tolist():
            taken = np.concatenate([cell[owner == short] % n, out_of_it[out_of_it // n == short] % n])
            # So many are surely enough, as no more can be taken.
            popular = self._popular[: kept + taken.size]
            more = popular[~np.isin(popular, taken)]
            free = int((out[short] == 0).sum())
            out[short, kept - free : kept - free + min(free, more.size)] = more[:free]
        return out.astype(np.int64)

    def _by_vote(self, cell: Ints, vote: Ints) -> Ints:
        """Return cells by user, then the most votes first, then what is more popular."""
        n = self._standing.size
        least = vote.max(initial=0) - vote
        owner, _, behind = _sorted(cell // n, least, n - self._standing[cell % n])
        return np.asarray(owner * n + self._popular[behind - 1], np.int64)


class Retriever:
    """Lists by user, made when they are first asked for.

    The cloud's logs end before the hold-out, so a user's list is the same in every round. Users whom the cloud does not
    know get the most popular items.
    """

    def __init__(self, logs: TrainLogs, users: int, length: int, *, repeat: bool) -> None:
        """Count what stands near what.

        Args:
            logs: What the cloud may see.
            users: How many users there are, known to the cloud or not.
            length: Of a list; shorter where the catalogue is.
            repeat: Whether an item that the user already had may be listed.
        """
        self._logs, self._repeat, self._counts = logs, repeat, Counts(logs, length)
        self._row = np.full(users, -1, np.int64)
        playing = logs.user_ids < users
        self._row[logs.user_ids[playing]] = np.flatnonzero(playing)
        self._lists = np.zeros((users, self._counts.length), np.int32)
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
        rows = self._row[users]
        known = np.flatnonzero(rows >= 0)
        history = np.zeros((users.size, VOTERS), np.int64)
        history[known] = self._logs.history(rows[known], VOTERS).items
        row, item = self._logs.seen(rows[known])
        nothing = np.zeros(0, np.int64)
        return self._counts.listed(history, (nothing, nothing) if self._repeat else (known[row], item))


def neighbours(logs: TrainLogs) -> tuple[Ints, Ints, Ints]:
    """Return what stood near each item, as (starts [n_items + 2], items, credit): the most credited first, equal ones by id."""
    n = logs.n_items + 1
    owner = np.repeat(np.arange(len(logs)), np.diff(logs.offsets))
    key, credit_of = np.zeros(0, np.int64), np.zeros(0, np.int64)
    for place, credit in enumerate(CREDIT, 1):
        same: Bools = owner[place:] == owner[:-place]
        first, second = logs.items[:-place][same], logs.items[place:][same]
        pairs = np.concatenate([first * n + second, second * n + first])
        # Place by place, so that no more than the distinct pairs are kept.
        key, credit_of = _sums(np.concatenate([key, pairs]), np.concatenate([credit_of, np.full(pairs.size, credit)]))
    most = credit_of.max(initial=0)
    item, less, near = _sorted(key // n, most - credit_of, key % n)
    kept = np.arange(item.size) - np.searchsorted(item, item) < NEIGHBOURS
    starts = np.zeros(n + 1, np.int64)
    np.cumsum(np.bincount(item[kept], minlength=n), out=starts[1:])
    return starts, near[kept], most - less[kept]


def _among(cells: Ints, others: Ints) -> Bools:
    """Return which cells are among others, which ascend."""
    if not others.size:
        return np.zeros(cells.size, np.bool_)
    return np.asarray(others[np.minimum(np.searchsorted(others, cells), others.size - 1)] == cells)


def _sums(keys: Ints, values: Ints) -> tuple[Ints, Ints]:
    """Return distinct keys, ascending, and the sum of the values, all above 0, of each; in a table where keys are dense, else sorted."""
    if keys.size and int(keys.max()) < _DENSE * keys.size:
        # In float64, and exact: sums stay far below 2^53.
        sums = np.bincount(keys, values)
        there = np.flatnonzero(sums)
        return there, sums[there].astype(np.int64)
    order = np.argsort(keys, kind="stable")
    keys, values = keys[order], values[order]
    first = np.flatnonzero(np.diff(keys, prepend=-1) != 0)
    return keys[first], np.add.reduceat(values, first) if first.size else np.zeros(0, np.int64)


def _sorted(*columns: Ints) -> list[Ints]:
    """Return columns of whole numbers from 0 on in the order of their rows: by the first, equal ones by the second, and so on."""
    bits = [int(column.max(initial=0)).bit_length() for column in columns]
    if sum(bits) > _BITS:
        order = np.lexsort(columns[::-1])
        return [column[order] for column in columns]
    whole = columns[0]
    for column, wide in zip(columns[1:], bits[1:], strict=True):
        whole = whole << wide | column
    whole, parts = np.sort(whole), list[Ints]()
    for wide in reversed(bits[1:]):
        parts.append(whole & (1 << wide) - 1)
        whole = whole >> wide
    return [whole, *reversed(parts)]
