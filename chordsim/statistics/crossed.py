"""Means over several seeds with an interval for users and seeds together, right where seeds are few.

The model is that of two crossed random factors, y[user, seed] = mean + user + seed + rest. A bootstrap over users sees only the
first and the last of the three, and a bootstrap of three seeds has nothing to draw from. Here the mean's variance is taken apart
(Henderson, 1953; Owen, "The pigeonhole bootstrap", 2007, says why resampling one factor is not enough), and each part gets
Student's quantile with its own degrees of freedom; the margin is the root of the sum of both squared margins (Howe, "Approximate
confidence limits on the mean of X + Y", 1974):

    margin^2 = t[users - 1]^2 * V_users + t[seeds - 1]^2 * max(0, V_seeds - NOISE_SHARE * V_noise)

V_users is the variance of the mean of the users' means over seeds (it holds the rest too), V_seeds that of the mean of the seeds'
effects as they look, V_noise what they would show if seeds did not differ. `NOISE_SHARE` is ours, found by simulation (inference,
no source): `python -m benchmarks.interval_coverage` says that the interval covers the truth in 93.8 to 97.5 % of repetitions. With
the noise taken off whole, as unbiased components of variance have it, that is 92.2 to 97.4 %, and not taken off 94.2 to 99.7 %; with
one quantile for the whole variance and the degrees of freedom of Satterthwaite ("An approximate distribution of estimates of
variance components", 1946) 92.6 to 98.3 %.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr, stdtrit

from chordsim.arrays import Floats

#: With fewer seeds there is no interval: of two, no formula that was tried covers in 92 to 98 % (87 to 99 %).
LEAST_SEEDS = 3
NOISE_SHARE = 0.6
_SMALL = 1e-9  # a seed's rest is never taken as less than this share of the whole, so that the equations can be solved
_HALVINGS = 100


@dataclass(frozen=True)
class Part:
    """A part of the mean's variance.

    Attributes:
        variance: Of the mean, what this part adds.
        freedom: Degrees of freedom with which it is known.
    """

    variance: float
    freedom: int


@dataclass(frozen=True)
class OverSeeds:
    """A mean over users and seeds.

    Attributes:
        mean: Mean over users of each user's mean over seeds; over seeds of their means where each has users of its own.
        parts: Of the mean's variance; empty where no interval can be given.
        by_seed: Each seed's own mean over its users, NaN without users.
        users: How many users have a value in any seed.
    """

    mean: float | None
    parts: tuple[Part, ...]
    by_seed: tuple[float, ...]
    users: int

    @property
    def spread(self) -> float | None:
        """Standard deviation of the seeds' own means; None with fewer than two."""
        known = np.array(self.by_seed)[~np.isnan(self.by_seed)]
        return float(known.std(ddof=1)) if known.size > 1 else None

    @property
    def ci95(self) -> tuple[float, float] | None:
        """Ends of the 95 % interval over users and seeds; None where none can be given."""
        if self.mean is None or not self.parts:
            return None
        half = margin(self.parts, 0.05)
        return self.mean - half, self.mean + half

    @property
    def p(self) -> float | None:
        """Two-sided p for a mean of zero: the level at which the interval ends there; None where there is no interval."""
        return None if self.mean is None or not self.parts else _level(self.parts, abs(self.mean))


def over_seeds(by_seed: Sequence[Floats], *, same_users: bool = True) -> OverSeeds:
    """Return the mean over users and seeds, with what its interval is made of.

    Args:
        by_seed: For each seed a value by user id, [users] of that seed, NaN for none.
        same_users: Whether an id is the same person in all seeds. If not, or if no user has a value in two seeds, the seeds' own
            means are all that is known of their differences, and Student's interval over them holds users too.
    """
    size = max(values.size for values in by_seed)
    table = np.stack([np.concatenate([values, np.full(size - values.size, np.nan)]) for values in by_seed])
    has = ~np.isnan(table)
    table, has = table[has.any(axis=1)], has[has.any(axis=1)]
    own = tuple(float(values[~np.isnan(values)].mean()) if (~np.isnan(values)).any() else float("nan") for values in by_seed)
    present = has.sum(0)
    users = int((present > 0).sum()) if same_users else int(has.sum())
    if not users:
        return OverSeeds(None, (), own, 0)
    seeds = table.shape[0]
    if not same_users or present.max() < 2:
        means = np.array([row[some].mean() for row, some in zip(table, has, strict=True)])
        parts = (Part(float(means.var(ddof=1)) / seeds, seeds - 1),) if seeds >= LEAST_SEEDS else ()
        return OverSeeds(float(means.mean()), parts, own, users)
    table, present = table[:, present > 0], present[present > 0]
    of_user = np.nansum(table, axis=0) / present
    if seeds < LEAST_SEEDS or users < 2:
        return OverSeeds(float(of_user.mean()), (), own, users)
    looks, noise = seed_variances(table)
    both = (Part(float(of_user.var(ddof=1)) / users, users - 1), Part(max(0.0, looks - NOISE_SHARE * noise), seeds - 1))
    return OverSeeds(float(of_user.mean()), both, own, users)


def margin(parts: Sequence[Part], level: float) -> float:
    """Return half the width of the two-sided interval that leaves out `level`."""
    return float(np.sqrt(sum(part.variance * float(stdtrit(part.freedom, level / 2)) ** 2 for part in parts)))


def _level(parts: Sequence[Part], distance: float) -> float:
    """Return the level at which the margin is this distance, by halving on a logarithmic scale; 0 where nothing varies."""
    varying = [part for part in parts if part.variance > 0]
    if not distance:
        return 1.0
    if len(varying) < 2:
        return 2 * float(stdtr(varying[0].freedom, -distance / np.sqrt(varying[0].variance))) if varying else 0.0
    low, high = -300.0, 0.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if margin(varying, 10.0**middle) > distance else (low, middle)
    return float(10.0**high)


def seed_variances(table: Floats) -> tuple[float, float]:
    """Return what the seeds' differences add to the variance of the mean of users' means, and how much of it is noise.

    The seeds' effects are the generalised least squares fit with users as random: users who stand in several seeds tell the
    seeds apart by their own differences, the others by their means, each as far as it is worth.

    Args:
        table: Values by seed and user [S, users], NaN for none; every seed and every user has one.

    Returns:
        V_seeds and V_noise of the module's formula, of which the first holds the second.
    """
    has = ~np.isnan(table)
    present, values = has.sum(0), np.where(has, table, 0.0)
    seeds, users = table.shape
    of_seed = values.sum(1) / has.sum(1)
    apart, several = np.where(has, table - of_seed[:, None], 0.0), present > 1
    whole = float((apart**2).sum() / max(has.sum() - seeds, 1))
    inside = np.where(has, apart - apart.sum(0) / present, 0.0)[:, several]
    rest = min(float((inside**2).sum() / max((present[several] - 1).sum() - (seeds - 1), 1)), whole)
    effects, noise = of_seed, np.zeros((seeds, seeds))
    if whole:
        rest = max(rest, _SMALL * whole)
        shared = (whole - rest) / (rest + present * (whole - rest))
        weights = np.diag(has.sum(1)) - (has * shared) @ has.T
        effects = np.linalg.solve(weights, values.sum(1) - (has * shared) @ values.sum(0))
        noise = rest * np.linalg.inv(weights)
    centred = effects - effects.mean()
    shares = (has / present).sum(1) / users  # of each seed in the mean of users' means
    scale = float(shares @ shares) / (seeds - 1)
    return float(centred @ centred) * scale, float(np.trace(noise) - noise.sum() / seeds) * scale
