"""From a standard normal latent to a quantity: tabulated quantile functions, so that a copula can join quantities."""

from __future__ import annotations

import math
from functools import lru_cache
from statistics import NormalDist

import numpy as np

from chordsim.arrays import Floats
from chordsim.population.eras import Mixture, Steps

#: Latents beyond this are held here; one phone in 10^15 would be.
_Z_END = 8.0
_Z_POINTS = 4097
_X_POINTS = 8193


def cdf(z: Floats) -> Floats:
    """Return the standard normal distribution function, by table (error below 1e-6)."""
    grid, values = _normal_table()
    return np.asarray(np.interp(z, grid, values))


def of_mixture(z: Floats, mixture: Mixture) -> Floats:
    """Return the quantile of each latent [D] under a mixture of log-normals."""
    if len(mixture.weights) == 1:
        return np.asarray(mixture.medians[0] * np.exp(mixture.spreads[0] * z))
    grid, logs = _mixture_table(mixture)
    return np.asarray(np.exp(np.interp(z, grid, logs)))


def of_steps(z: Floats, steps: Steps) -> Floats:
    """Return the size that each latent [D] falls into."""
    bounds = z_of_shares(steps.shares)
    return np.array(steps.sizes)[np.searchsorted(bounds, z, side="right")]


def z_of_shares(shares: tuple[float, ...]) -> Floats:
    """Return the latents between consecutive shares, [len(shares) - 1]."""
    total = np.cumsum(shares)[:-1] / sum(shares)
    return np.array([NormalDist().inv_cdf(float(min(max(s, 1e-15), 1 - 1e-15))) for s in total], np.float64)


@lru_cache(maxsize=1)
def _normal_table() -> tuple[Floats, Floats]:
    grid = np.linspace(-_Z_END, _Z_END, _Z_POINTS)
    return grid, np.array([0.5 * math.erfc(-z / math.sqrt(2)) for z in grid])


@lru_cache(maxsize=64)
def _mixture_table(mixture: Mixture) -> tuple[Floats, Floats]:
    """Return latents and logarithms of the quantity at them."""
    logs, spreads = np.log(mixture.medians), np.array(mixture.spreads)
    x = np.linspace(float((logs - _Z_END * spreads).min()), float((logs + _Z_END * spreads).max()), _X_POINTS)
    # Latents far out differ by tails smaller than a double, so both tails are counted from their own end.
    lower, upper = np.zeros(x.size), np.zeros(x.size)
    for weight, middle, spread in zip(mixture.weights, logs, spreads, strict=True):
        t = (x - middle) / spread / math.sqrt(2)
        lower += weight * np.array([0.5 * math.erfc(-v) for v in t])
        upper += weight * np.array([0.5 * math.erfc(v) for v in t])
    normal = NormalDist()
    z = [
        normal.inv_cdf(min(max(low, 1e-300), 0.5)) if low < 0.5 else -normal.inv_cdf(min(max(up, 1e-300), 0.5))
        for low, up in zip(lower.tolist(), upper.tolist(), strict=True)
    ]
    grid = np.linspace(-_Z_END, _Z_END, _Z_POINTS)
    return grid, np.interp(grid, np.array(z), x)
