"""Means over users with intervals that know that a user's rounds belong together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from chordsim import seeds
from chordsim.arrays import Bools, Floats, Ints

RESAMPLES = 1000
#: With more users than this the interval is the normal approximation: there the bootstrap says the same.
BOOTSTRAP_USERS = 50_000
_BLOCK_VALUES = 1_000_000
_Z_95 = 1.959963984540054


@dataclass(frozen=True)
class Estimate:
    """A mean over users.

    Attributes:
        mean: Mean over users of each user's mean over rounds; None without users.
        ci95: Ends of the 95 % interval; None with fewer than two users.
        ci_method: ``"bootstrap-by-user"``, ``"normal-by-user"`` or ``"none"``.
        users: How many users have a value.
    """

    mean: float | None
    ci95: tuple[float, float] | None
    ci_method: str
    users: int

    def as_json(self) -> dict[str, float | int | str | list[float] | None]:
        """Return the estimate as summary.json holds it."""
        return {
            "mean": self.mean,
            "ci95": None if self.ci95 is None else list(self.ci95),
            "ci_method": self.ci_method,
            "users": self.users,
        }


class UserMeans:
    """Running sums of one number per user, indexed by user id; memory only once a value came."""

    def __init__(self, users: int) -> None:
        self._users = users
        self._sums: Floats | None = None
        self._counts: npt.NDArray[np.int32] | None = None

    def add(self, user_ids: Ints, values: Floats) -> None:
        """Take in values [N] and whose they are [N]; ids run from 0 to ``users - 1``."""
        if not user_ids.size:
            return
        if self._sums is None or self._counts is None:
            self._sums, self._counts = np.zeros(self._users), np.zeros(self._users, np.int32)
        np.add.at(self._sums, user_ids, values)
        np.add.at(self._counts, user_ids, 1)

    def means(self) -> Floats:
        """Return each user's mean, NaN without a value, shape [users]."""
        if self._sums is None or self._counts is None:
            return np.full(self._users, np.nan)
        return np.where(self._counts > 0, self._sums / np.maximum(self._counts, 1), np.nan)

    def known(self) -> Bools | None:
        """Return which users have a value, shape [users], or None where no one has."""
        return None if self._counts is None else self._counts > 0


def estimate(columns: Mapping[str, Floats], seed: int) -> dict[str, Estimate]:
    """Return mean and interval of every column, users resampled alike in all of them.

    Args:
        columns: User means by a name, NaN for users without a value, shape [users] each.
        seed: The scenario's seed.
    """
    if not columns:
        return {}
    names = list(columns)
    known = np.zeros(columns[names[0]].size, np.bool_)
    for values in columns.values():
        known |= ~np.isnan(values)
    if int(known.sum()) > BOOTSTRAP_USERS:
        return {name: _normal(values) for name, values in columns.items()}
    table = np.stack([columns[name][known] for name in names], axis=1) if known.any() else np.zeros((0, len(names)))
    resampled = _resample(table, seed)
    return {name: _bootstrap(table[:, i], resampled[:, i]) for i, name in enumerate(names)}


def _resample(table: Floats, seed: int) -> Floats:
    """Return the column means of `RESAMPLES` samples of users with replacement, shape [RESAMPLES, columns]."""
    users = table.shape[0]
    if users < 2:
        return np.zeros((0, table.shape[1]))
    has = ~np.isnan(table)
    both = np.concatenate([np.where(has, table, 0.0), has], axis=1)
    draw = seeds.generator(seed, "ledger.summary.bootstrap")
    block = max(1, min(RESAMPLES, _BLOCK_VALUES // users))
    parts = []
    for start in range(0, RESAMPLES, block):
        size = min(block, RESAMPLES - start)
        chosen = draw.integers(0, users, (size, users)) + np.arange(size)[:, None] * users
        weights = np.bincount(chosen.reshape(-1), minlength=size * users).reshape(size, users)
        parts.append(weights.astype(np.float64) @ both)
    sums, counts = np.split(np.concatenate(parts), 2, axis=1)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def _bootstrap(values: Floats, resampled: Floats) -> Estimate:
    kept = values[~np.isnan(values)]
    draws = resampled[~np.isnan(resampled)]
    if kept.size < 2:
        return Estimate(float(kept[0]) if kept.size else None, None, "none", kept.size)
    low, high = np.quantile(draws, [0.025, 0.975])
    return Estimate(float(kept.mean()), (float(low), float(high)), "bootstrap-by-user", kept.size)


def _normal(values: Floats) -> Estimate:
    kept = values[~np.isnan(values)]
    if kept.size < 2:
        return Estimate(float(kept[0]) if kept.size else None, None, "none", kept.size)
    mean, half = float(kept.mean()), _Z_95 * float(kept.std(ddof=1)) / float(np.sqrt(kept.size))
    return Estimate(mean, (mean - half, mean + half), "normal-by-user", kept.size)
