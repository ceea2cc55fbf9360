"""Paired differences over users: bootstrap by user, and Holm's correction over a family named beforehand."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from chordsim import seeds
from chordsim.arrays import Floats

RESAMPLES = 10_000
#: With more users than this the interval and p are the normal approximation: there the bootstrap says the same.
BOOTSTRAP_USERS = 20_000
ALPHA = 0.05
_BLOCK_VALUES = 2_000_000
_Z_95 = 1.959963984540054
_T_95 = (12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622)


@dataclass(frozen=True)
class Difference:
    """A paired difference over users.

    Attributes:
        mean: Mean over users of each user's difference; None without users.
        ci95: Ends of its 95 % interval; None with fewer than two users.
        p: Two-sided p for no difference; 1 where nothing differs or there are fewer than two users.
        p_holm: The same after Holm's correction over the family.
        users: Users with both values.
    """

    mean: float | None
    ci95: tuple[float, float] | None
    p: float
    p_holm: float
    users: int

    @property
    def significant(self) -> bool:
        """Whether the corrected p is below 0.05."""
        return self.p_holm < ALPHA


def paired(pairs: Mapping[str, tuple[Floats, Floats]], seed: int, purpose: str = "compare.bootstrap") -> dict[str, Difference]:
    """Return the first minus the second of every pair; the given pairs are the family that Holm corrects over.

    Args:
        pairs: Two values by user [users] each, NaN for none; users without both are left out.
        seed: For the bootstrap; users are resampled alike for all pairs of equal length.
        purpose: Names the stream of random numbers.
    """
    raw = {name: _one(first - second, seed, purpose) for name, (first, second) in pairs.items()}
    corrected = holm([p for _, _, p, _ in raw.values()])
    return {
        name: Difference(mean, ci95, p, p_holm, users)
        for (name, (mean, ci95, p, users)), p_holm in zip(raw.items(), corrected, strict=True)
    }


def holm(ps: Sequence[float]) -> list[float]:
    """Return Holm's step-down corrected p of each p (Holm, 1979), in the order given."""
    out, highest = [1.0] * len(ps), 0.0
    for place, index in enumerate(sorted(range(len(ps)), key=lambda i: ps[i])):
        highest = max(highest, min(1.0, (len(ps) - place) * ps[index]))
        out[index] = highest
    return out


def mean_interval(values: Floats, seed: int, purpose: str) -> tuple[float | None, tuple[float, float] | None]:
    """Return the mean over users [users], NaN for none, and its 95 % interval by bootstrap over users."""
    mean, ci95, _, _ = _one(values, seed, purpose)
    return mean, ci95


def mean_t_interval(values: Floats) -> tuple[float | None, tuple[float, float] | None]:
    """Return the mean of a few independent values [N], such as one per seed, and Student's 95 % interval."""
    if values.size < 2:
        return (float(values[0]) if values.size else None), None
    mean, half = float(values.mean()), t_95(values.size - 1) * float(values.std(ddof=1)) / math.sqrt(values.size)
    return mean, (mean - half, mean + half)


def t_95(freedom: int) -> float:
    """Return Student's two-sided 95 % quantile: a table up to 9 degrees of freedom, then its expansion (Fisher and Cornish, 1960)."""
    if freedom <= len(_T_95):
        return _T_95[freedom - 1]
    z = _Z_95
    first, second = (z**3 + z) / 4, (5 * z**5 + 16 * z**3 + 3 * z) / 96
    return z + first / freedom + second / freedom**2 + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384 / freedom**3


def _one(values: Floats, seed: int, purpose: str) -> tuple[float | None, tuple[float, float] | None, float, int]:
    """Return mean, interval, p and number of users of per-user values."""
    kept = values[~np.isnan(values)]
    if kept.size < 2:
        return (float(kept[0]) if kept.size else None), None, 1.0, int(kept.size)
    mean = float(kept.mean())
    if not kept.any():
        return 0.0, (0.0, 0.0), 1.0, int(kept.size)
    if kept.size > BOOTSTRAP_USERS:
        error = float(kept.std(ddof=1)) / math.sqrt(kept.size)
        p = math.erfc(abs(mean) / error / math.sqrt(2)) if error else 0.0
        return mean, (mean - _Z_95 * error, mean + _Z_95 * error), p, int(kept.size)
    draws = _resampled_means(kept, seed, purpose)
    low, high = np.quantile(draws, [0.025, 0.975]).tolist()
    # One more than counted, so that p is never zero: the sample itself is one of the resamples.
    tail = (1 + min(int((draws <= 0).sum()), int((draws >= 0).sum()))) / (1 + RESAMPLES)
    return mean, (low, high), min(1.0, 2 * tail), int(kept.size)


def _resampled_means(values: Floats, seed: int, purpose: str) -> Floats:
    """Return means of `RESAMPLES` samples of users with replacement, in bounded memory."""
    draw = seeds.generator(seed, purpose)
    block = max(1, min(RESAMPLES, _BLOCK_VALUES // values.size))
    parts = []
    for start in range(0, RESAMPLES, block):
        chosen = draw.integers(0, values.size, (min(block, RESAMPLES - start), values.size))
        parts.append(values[chosen].mean(1))
    return np.concatenate(parts)
