"""Who pays for heterogeneity: the largest gaps between tiers in what users saw and in how often they were served."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from chordsim.arrays import Bools, Floats, Ints
from chordsim.statistics.by_user import UserMeans
from chordsim.statistics.gaps import Gap, largest_gap

#: What is compared: NDCG@10 of what users saw, and the share of rounds that served them.
ACCURACY, SERVICE = "ndcg_10_all", "served_share"
#: The most users times tiers of which sums are kept; a fleet's users are not told apart, so its gaps have no interval.
MOST_PLACES = 3_000_000


class TierGap:
    """Feed it one method's rounds. A user with phones of two tiers counts in both."""

    def __init__(self, users: int, tiers: int) -> None:
        """Start empty.

        Args:
            users: How many users there are; ids run from 0 to ``users - 1``.
            tiers: How many tiers.
        """
        self._users, self._tiers = (users, tiers) if users * tiers <= MOST_PLACES else (1, tiers)
        self._means = {name: UserMeans(self._users * tiers) for name in (ACCURACY, SERVICE)}

    def add(self, users: Ints, tier: Ints, served: Bools, ndcg_10_all: Floats) -> None:
        """Take in some device-rounds, [D] each; NDCG is NaN where nothing was ranked."""
        place = (users if self._users > 1 else np.zeros_like(users)) * self._tiers + tier
        seen = ~np.isnan(ndcg_10_all)
        self._means[ACCURACY].add(place[seen], ndcg_10_all[seen])
        self._means[SERVICE].add(place, served.astype(np.float64))

    def gaps(self) -> dict[str, Gap]:
        """Return both gaps by name."""
        tables = {name: by.means().reshape(self._users, self._tiers) for name, by in self._means.items()}
        return {name: largest_gap(table, shares=name == SERVICE) for name, table in tables.items()}

    def as_json(self, names: Sequence[str]) -> dict[str, Any]:
        """Return both gaps as summary.json holds them, tiers by their names; without users where they are not told apart."""
        told = {name: gap.as_json(names) for name, gap in self.gaps().items()}
        return told if self._users > 1 else {name: {**gap, "users": {}} for name, gap in told.items()}
