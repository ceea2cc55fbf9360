"""The largest gap between groups of users, and how sure it is: who pays for what a method does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import stdtrit

from chordsim.arrays import Floats

#: Half of what an interval leaves out.
_TAIL = 0.025


@dataclass(frozen=True)
class Gap:
    """The best group's mean minus the worst's.

    Attributes:
        gap: The difference; None with fewer than two groups that have a user.
        best: Place of the group with the highest mean.
        worst: Place of that with the lowest.
        ci95: Ends of its 95 % interval, wide enough for the choice of the pair among all; None where a group has one user.
        users: Users of each group.
        means: Mean of each group, NaN without a user.
    """

    gap: float | None
    best: int | None
    worst: int | None
    ci95: tuple[float, float] | None
    users: tuple[int, ...]
    means: tuple[float, ...]

    def as_json(self, names: Sequence[str]) -> dict[str, Any]:
        """Return it as summary.json holds it; groups without a user are left out."""
        return {
            "gap": self.gap,
            "ci95": None if self.ci95 is None else list(self.ci95),
            "ci_method": "none" if self.ci95 is None else "t-by-user",
            "best": None if self.best is None else names[self.best],
            "worst": None if self.worst is None else names[self.worst],
            "users": {name: count for name, count in zip(names, self.users, strict=True) if count},
        }


def largest_gap(table: Floats, *, shares: bool = False) -> Gap:
    """Return the largest gap between groups.

    The interval is Student's for a difference of two means, users as the unit; who is in both groups counts in both. Of k groups the pair
    is one of k (k - 1) / 2 that could have been it, so the level is Bonferroni's over these.

    Args:
        table: A value by user and group [users, groups], NaN for none.
        shares: Whether values are shares of times that something happened: the interval is then Agresti and Caffo's (2000), two
            users more in each group, one with 0 and one with 1, since a share of exactly 0 or 1 in a few users is not sure.
    """
    users = (~np.isnan(table)).sum(0)
    sums = np.nansum(table, 0)
    means = np.where(users > 0, sums / np.maximum(users, 1), np.nan)
    some = np.flatnonzero(users > 0)
    if some.size < 2:
        return Gap(None, None, None, None, tuple(users.tolist()), tuple(means.tolist()))
    best, worst = int(some[means[some].argmax()]), int(some[means[some].argmin()])
    pairs = some.size * (some.size - 1) // 2
    ci95 = None if best == worst else _interval(table[:, best], table[:, worst], pairs, shares)
    return Gap(float(means[best] - means[worst]), best, worst, ci95, tuple(users.tolist()), tuple(means.tolist()))


def _interval(one: Floats, two: Floats, pairs: int, shares: bool) -> tuple[float, float] | None:
    if min(int((~np.isnan(values)).sum()) for values in (one, two)) < 2:
        return None
    if shares:
        more = np.array([[0.0, np.nan], [1.0, np.nan], [np.nan, 0.0], [np.nan, 1.0]])
        one, two = (np.concatenate([values, more[:, side]]) for side, values in enumerate((one, two)))
    count = [int((~np.isnan(values)).sum()) for values in (one, two)]
    parts = [np.nan_to_num((values - np.nanmean(values)) / n) for values, n in zip((one, two), count, strict=True)]
    # Users of both groups move both means, so their two parts are taken together.
    variance = float(np.square(parts[0] - parts[1]).sum())
    own = [float(np.square(part).sum()) * n / (n - 1) for part, n in zip(parts, count, strict=True)]
    if sum(own) == 0:
        return None
    freedom = sum(own) ** 2 / sum(v**2 / (n - 1) for v, n in zip(own, count, strict=True) if v)
    raw = sum(float(np.square(part).sum()) for part in parts)
    half = float(stdtrit(freedom, 1 - _TAIL / pairs) * np.sqrt(variance * sum(own) / raw))
    middle = float(np.nanmean(one) - np.nanmean(two))
    low, high = middle - half, middle + half
    return (max(low, -1.0), min(high, 1.0)) if shares else (low, high)
