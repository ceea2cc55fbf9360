"""The one bootstrap over users: every interval and every p of one seed comes from here."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr, ndtri

from chordsim import seeds
from chordsim.arrays import Floats

RESAMPLES = 10_000
#: With more users than this the normal approximation stands in: there the bootstrap says the same.
BOOTSTRAP_USERS = 5_000
_BLOCK_VALUES = 1_000_000
Z_95 = float(ndtri(0.975))

Ends = tuple[float, float]


def resampled_means(table: Floats, seed: int) -> Floats:
    """Return column means over samples of users with replacement, users resampled alike in all columns.

    Args:
        table: A value by user and column [users, columns], NaN for none.
        seed: The scenario's seed; equal seeds and numbers of users give equal samples.

    Returns:
        Shape [RESAMPLES, columns]; NaN where a sample holds no user with a value.
    """
    users = table.shape[0]
    has = ~np.isnan(table)
    both = np.concatenate([np.where(has, table, 0.0), has], axis=1)
    draw = seeds.generator(seed, "statistics.bootstrap")
    block = max(1, min(RESAMPLES, _BLOCK_VALUES // users))
    parts = []
    for start in range(0, RESAMPLES, block):
        size = min(block, RESAMPLES - start)
        chosen = draw.integers(0, users, (size, users)) + np.arange(size)[:, None] * users
        weights = np.bincount(chosen.reshape(-1), minlength=size * users).reshape(size, users)
        parts.append(weights.astype(np.float64) @ both)
    sums, counts = np.split(np.concatenate(parts), 2, axis=1)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def intervals(table: Floats, seed: int) -> list[tuple[Ends, float] | None]:
    """Return for each column the 95 % interval of its mean over users and the two-sided p for a mean of zero.

    Args:
        table: A value by user and column [users, columns], NaN for none.
        seed: The scenario's seed.

    Returns:
        One entry per column; None where fewer than two users have a value.
    """
    known = ~np.isnan(table).all(axis=1)
    table = table[known]
    counted = (~np.isnan(table)).sum(0)
    if table.shape[0] > BOOTSTRAP_USERS:
        return [_normal(column[~np.isnan(column)]) if n > 1 else None for column, n in zip(table.T, counted, strict=True)]
    if not (counted > 1).any():
        return [None] * table.shape[1]
    draws = resampled_means(table, seed)
    return [_quantiles(column) if n > 1 else None for column, n in zip(draws.T, counted, strict=True)]


def _quantiles(draws: Floats) -> tuple[Ends, float]:
    draws = draws[~np.isnan(draws)]
    low, high = np.quantile(draws, [0.025, 0.975]).tolist()
    # One more than counted, so that p is never zero: the sample itself is one of the resamples.
    tail = (1 + min(int((draws <= 0).sum()), int((draws >= 0).sum()))) / (1 + draws.size)
    return (low, high), min(1.0, 2 * tail)


def _normal(values: Floats) -> tuple[Ends, float]:
    mean, error = float(values.mean()), float(values.std(ddof=1) / np.sqrt(values.size))
    p = 2 * float(ndtr(-abs(mean) / error)) if error else float(mean == 0)
    return (mean - Z_95 * error, mean + Z_95 * error), p
