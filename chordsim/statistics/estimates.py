"""Means over users of one run or of one run per seed, with intervals that know that a user's rounds belong together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from chordsim.arrays import Floats
from chordsim.statistics.bootstrap import BOOTSTRAP_USERS, intervals
from chordsim.statistics.crossed import over_seeds


@dataclass(frozen=True)
class Estimate:
    """A mean over users.

    Attributes:
        mean: Mean over users of each user's mean over rounds; None without users.
        ci95: Ends of the 95 % interval; None with fewer than two users, and with two seeds.
        ci_method: ``"bootstrap-by-user"``, ``"normal-by-user"``, ``"t-by-user-and-seed"``, ``"t-by-seed"`` (each seed has users of
            its own) or ``"none"``.
        users: How many users have a value.
        by_seed: Each seed's own mean; empty for one run.
        spread: Standard deviation of these; None for one run.
    """

    mean: float | None
    ci95: tuple[float, float] | None
    ci_method: str
    users: int
    by_seed: tuple[float, ...] = ()
    spread: float | None = None

    def as_json(self) -> dict[str, float | int | str | list[float] | None]:
        """Return the estimate as summary.json holds it."""
        return {
            "mean": self.mean,
            "ci95": None if self.ci95 is None else list(self.ci95),
            "ci_method": self.ci_method,
            "users": self.users,
        }


def estimate(columns: Mapping[str, Floats], seed: int) -> dict[str, Estimate]:
    """Return mean and interval of every column, users resampled alike in all of them.

    Args:
        columns: User means by a name, NaN for users without a value, shape [users] each.
        seed: The scenario's seed.
    """
    if not columns:
        return {}
    table = np.stack(list(columns.values()), axis=1)
    table = table[~np.isnan(table).all(axis=1)]
    method = "normal-by-user" if table.shape[0] > BOOTSTRAP_USERS else "bootstrap-by-user"
    found = zip(columns, table.T, intervals(table, seed), strict=True)
    return {name: _one(values[~np.isnan(values)], made and made[0], method) for name, values, made in found}


def estimate_over_seeds(by_seed: Sequence[Floats], seed: int, *, same_users: bool = True) -> Estimate:
    """Return mean, spread and interval over users and seeds; over users alone where there is one seed.

    Args:
        by_seed: For each seed each user's mean over rounds, [users] of that seed, NaN for none.
        seed: For the bootstrap of one seed.
        same_users: Whether a user id is the same person in all seeds.
    """
    if len(by_seed) == 1:
        return estimate({"": by_seed[0]}, seed)[""]
    found = over_seeds(by_seed, same_users=same_users)
    words = {0: "none", 1: "t-by-seed", 2: "t-by-user-and-seed"}
    return Estimate(found.mean, found.ci95, words[len(found.parts)], found.users, found.by_seed, found.spread)


def _one(kept: Floats, ci95: tuple[float, float] | None, method: str) -> Estimate:
    return Estimate(float(kept.mean()) if kept.size else None, ci95, method if ci95 else "none", kept.size)
