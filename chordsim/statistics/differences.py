"""Paired differences over users, of one run or of one run per seed, corrected over the family that they are named in."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from chordsim.arrays import Floats
from chordsim.statistics.bootstrap import intervals
from chordsim.statistics.crossed import over_seeds
from chordsim.statistics.families import ALPHA, holm

Pair = tuple[Floats, Floats]


@dataclass(frozen=True)
class Difference:
    """A paired difference over users.

    Attributes:
        mean: Mean over users of each user's difference; None without users.
        ci95: Ends of its 95 % interval; None with fewer than two users, and with two seeds.
        p: Two-sided p for no difference; 1 where nothing differs or there are fewer than two users; None with two seeds.
        p_holm: The same after Holm's correction over the family; None where p is.
        users: Users with both values.
        by_seed: Each seed's own mean difference; empty for one run.
        spread: Standard deviation of these; None for one run.
    """

    mean: float | None
    ci95: tuple[float, float] | None
    p: float | None
    p_holm: float | None
    users: int
    by_seed: tuple[float, ...] = ()
    spread: float | None = None

    @property
    def significant(self) -> bool:
        """Whether the corrected p is below 0.05."""
        return self.p_holm is not None and self.p_holm < ALPHA


def paired(pairs: Mapping[str, Pair], seed: int) -> dict[str, Difference]:
    """Return the first minus the second of every pair; the given pairs are the family that Holm corrects over.

    Args:
        pairs: Two values by user [users] each, NaN for none; users without both are left out.
        seed: For the bootstrap; users are resampled alike for all pairs of equal length.
    """
    apart = {name: first - second for name, (first, second) in pairs.items()}
    raw: dict[str, Difference] = {}
    for size in {values.size for values in apart.values()}:
        columns = {name: values for name, values in apart.items() if values.size == size}
        found = intervals(np.stack(list(columns.values()), axis=1), seed)
        raw |= {name: _of_one(values, made) for (name, values), made in zip(columns.items(), found, strict=True)}
    return _corrected({name: raw[name] for name in pairs})


def paired_over_seeds(pairs: Mapping[str, Sequence[Pair]], seed: int, *, own_users: Collection[str] = ()) -> dict[str, Difference]:
    """Return the same over seeds, with intervals and p for users and seeds; like `paired` for pairs of one seed.

    Args:
        pairs: For each seed two values by user, as `paired` takes them. Both sides of a pair have the same users and seed.
        seed: For the bootstrap of pairs that have one seed.
        own_users: Names of pairs whose seeds have users of their own, so that a user id is another person in each seed.
    """
    alone = paired({name: by_seed[0] for name, by_seed in pairs.items() if len(by_seed) == 1}, seed)
    several = {name: by_seed for name, by_seed in pairs.items() if len(by_seed) > 1}
    made = alone | {name: _of_several([a - b for a, b in by_seed], name not in own_users) for name, by_seed in several.items()}
    nothing = Difference(None, None, 1.0, 1.0, 0)
    return _corrected({name: made.get(name, nothing) for name in pairs})


def _of_one(values: Floats, made: tuple[tuple[float, float], float] | None) -> Difference:
    kept = values[~np.isnan(values)]
    ci95, p = made or (None, 1.0)
    return Difference(float(kept.mean()) if kept.size else None, ci95, p, p, kept.size)


def _of_several(by_seed: Sequence[Floats], same_users: bool) -> Difference:
    found = over_seeds(by_seed, same_users=same_users)
    return Difference(found.mean, found.ci95, found.p, found.p, found.users, found.by_seed, found.spread)


def _corrected(family: Mapping[str, Difference]) -> dict[str, Difference]:
    """Return the family with Holm's correction; a comparison without a p counts with 1."""
    corrected = holm([1.0 if d.p is None else d.p for d in family.values()])
    return {
        name: Difference(d.mean, d.ci95, d.p, None if d.p is None else p_holm, d.users, d.by_seed, d.spread)
        for (name, d), p_holm in zip(family.items(), corrected, strict=True)
    }
