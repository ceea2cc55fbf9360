"""Who owns which phone: at random, or so that active users tend to own fast (or slow) ones."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from chordsim import seeds
from chordsim.arrays import Floats, Ints
from chordsim.population.marginals import cdf

if TYPE_CHECKING:
    from chordsim.population.hardware import Source


class Assignment:
    """User of each phone, a pure function of (seed, device id); one to one over the first ``n_users`` phones."""

    def __init__(self, correlation: float, seed: int, n_users: int, activity: Ints | None, source: Source) -> None:
        """Prepare to assign.

        Args:
            correlation: Of a user's activity with the phone's speed, both as normal scores; 0 assigns at random.
            seed: The scenario's seed.
            n_users: Number of users.
            activity: Interactions of each user, [n_users]; None counts as no correlation.
            source: Draws hardware.
        """
        self._r = correlation if activity is not None else 0.0
        self._seed, self._n, self._activity, self._source = seed, n_users, activity, source

    def users(self, ids: Ints) -> Ints:
        """Return user indexes [D]."""
        if not self._r:
            return self._shuffled[ids % self._n]
        first = ids < self._n
        out = np.empty(ids.size, np.int64)
        out[first] = self._matched[ids[first]]
        if not first.all():
            # More phones than users: a phone's own score, not a place among others, picks its user.
            score = self._scores(ids[~first])
            out[~first] = self._by_activity[np.minimum((cdf(score) * self._n).astype(np.int64), self._n - 1)]
        return out

    @cached_property
    def _shuffled(self) -> Ints:
        return seeds.generator(self._seed, "population.users").permutation(self._n).astype(np.int64)

    @cached_property
    def _by_activity(self) -> Ints:
        """Users from the least active to the most, ties at random."""
        activity = self._activity if self._activity is not None else np.zeros(self._n, np.int64)
        tie = seeds.uniforms(self._seed, "population.activity.tie", np.arange(self._n, dtype=np.int64))[:, 0]
        return np.lexsort((tie, activity)).astype(np.int64)

    @cached_property
    def _matched(self) -> Ints:
        """User of each of the first ``n_users`` phones: the k-th phone by score plays the k-th user by activity."""
        out = np.empty(self._n, np.int64)
        out[np.argsort(self._scores(np.arange(self._n, dtype=np.int64)), kind="stable")] = self._by_activity
        return out

    def _scores(self, ids: Ints) -> Floats:
        noise = seeds.normals(self._seed, "population.activity", ids)[:, 0]
        return np.asarray(self._r * self._source.draw(ids).speed_z + np.sqrt(1 - self._r**2) * noise)
