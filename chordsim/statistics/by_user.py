"""Gathers one number per user over rounds, so that statistics rest on users and not on rows."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from chordsim.arrays import Bools, Floats, Ints


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


class Paired:
    """Sums by user over the rounds in which two sides both have a value, so that a difference mixes no rounds."""

    def __init__(self, users: int) -> None:
        self._sums = np.zeros((2, users))
        self._rounds = np.zeros(users, np.int64)

    def add(self, first: Floats, second: Floats) -> None:
        """Take in one round: the mean of each user on either side, [users], NaN for none."""
        both = ~np.isnan(first) & ~np.isnan(second)
        self._sums[0, both] += first[both]
        self._sums[1, both] += second[both]
        self._rounds[both] += 1

    def means(self) -> tuple[Floats, Floats]:
        """Return each user's mean on either side over the rounds of both, [users], NaN for none."""
        count = np.where(self._rounds > 0, self._rounds, np.nan)
        return self._sums[0] / count, self._sums[1] / count


def means_by_id(user_ids: Ints, values: Floats, users: int) -> Floats:
    """Return each user's mean of values [N], NaN among them left out and NaN for a user without one, shape [users]."""
    some = ~np.isnan(values)
    ids = user_ids[some]
    count = np.bincount(ids, minlength=users)
    return np.where(count > 0, np.bincount(ids, values[some], minlength=users) / np.maximum(count, 1), np.nan)
