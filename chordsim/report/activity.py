"""Groups of users by how much they did before the test: quarters of the history length."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from chordsim.arrays import Ints
from chordsim.ledger.damage import named
from chordsim.ledger.names import DEVICES

_GROUPS = 4
COLUMN = "history_items"


@dataclass(frozen=True)
class Activity:
    """Quarters of the users whose history length the run tells, least active first.

    Attributes:
        labels: Range of each group, in items.
        sizes: Users in each group.
        groups: Group of each user id, -1 where it is not known, [users].
    """

    labels: tuple[str, ...]
    sizes: tuple[int, ...]
    groups: Ints

    @property
    def count(self) -> int:
        """Number of groups."""
        return len(self.labels)

    def of(self, user_ids: Ints) -> Ints:
        """Return the group of each user, [D]."""
        return np.asarray(self.groups[user_ids], np.int64)

    @classmethod
    def read(cls, run: Path, users: int) -> Activity | None:
        """Group users by devices.parquet; None where that file or its column is missing (the run did not end).

        Raises:
            RunError: The file is damaged.
        """
        path = run / DEVICES
        if not path.is_file():
            return None
        with named(path):
            if COLUMN not in pq.read_schema(path).names:
                return None
            table = pq.read_table(path, columns=["user_id", COLUMN])
            ids, items = (np.asarray(table.column(name).to_numpy(), np.int64) for name in ("user_id", COLUMN))
        inside = (ids >= 0) & (ids < users)
        return cls._cut(ids[inside], items[inside], users)

    @classmethod
    def _cut(cls, ids: Ints, items: Ints, users: int) -> Activity | None:
        ids, first = np.unique(ids, return_index=True)
        items = items[first]
        if not items.size:
            return None
        # Users of equal length stay together, so quarters are only about equal, and may be fewer than four.
        edges = np.unique(np.quantile(items, np.arange(1, _GROUPS) / _GROUPS, method="inverted_cdf"))
        place = np.searchsorted(edges, items, side="left")
        used, place = np.unique(place, return_inverse=True)
        groups = np.full(users, -1, np.int64)
        groups[ids] = place
        spans = [items[place == n] for n in range(used.size)]
        return cls(tuple(_label(int(s.min()), int(s.max())) for s in spans), tuple(int(s.size) for s in spans), groups)


def _label(low: int, high: int) -> str:
    return f"{low}" if low == high else f"{low}–{high}"
