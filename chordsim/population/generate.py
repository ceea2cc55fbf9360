"""Phones drawn from a scenario's tiers: every number is a function of (seed, device id) and of nothing else."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from chordsim import seeds
from chordsim.errors import ScenarioError
from chordsim.methods import Budgets, Floats
from chordsim.population.profile import Profiles
from chordsim.ragged import Ints
from chordsim.scenario.model import PopulationConfig, TierConfig

_GB = 1e9
_MB = 1e6
#: A round that asks everyone holds a row per phone; beyond this a scenario must say how many it asks.
MOST_SELECTED = 100_000_000


class Population:
    """The phones of one run. Holds nothing per phone, so its size is only a number.

    Attributes:
        config: The scenario's ``[population]``.
        seed: The scenario's seed.
        size: Number of phones.
        n_users: Number of users in the data.
        selected: How many phones take part in a round.
    """

    def __init__(self, config: PopulationConfig, seed: int, n_users: int, fp32_peak_bytes: int) -> None:
        """Prepare to draw phones.

        Args:
            config: The scenario's ``[population]``.
            seed: The scenario's seed.
            n_users: Number of users in the data, at least 1.
            fp32_peak_bytes: Peak memory of the full-precision model, to which ``memory_of_fp32`` refers.

        Raises:
            ScenarioError: No phones, more selected than there are, or too many for one round.
        """
        self.config = config
        self.seed = seed
        self.n_users = n_users
        self.fp32_peak_bytes = fp32_peak_bytes
        self.size = config.devices or n_users
        self.selected = config.selected or self.size
        if n_users < 1:
            raise ScenarioError("population: there are no users, so no phone has anyone to play")
        if config.selected > self.size:
            raise ScenarioError(f"population.selected = {config.selected}, but there are {self.size} phones: use at most {self.size}")
        if self.selected > MOST_SELECTED:
            raise ScenarioError(
                f"population.selected = 0 asks all {self.size:,} phones in every round: set it to at most {MOST_SELECTED:,}"
            )

    def profiles(self, device_ids: Ints) -> Profiles:
        """Return the phones with these ids, in any order; vectorised, nothing depends on the other ids."""
        ids = np.asarray(device_ids, np.int64)
        tiers = list(self.config.tiers.values())
        bounds = np.cumsum([tier.share for tier in tiers])[:-1]
        which = np.searchsorted(bounds, self._uniform("tier", ids), side="right").astype(np.int64)
        median = _medians(tiers)
        ram = np.maximum(median["ram_bytes"][which] * self._spread("ram", ids), 1)
        macs_per_s = median["macs_per_s"][which] * self._spread("macs_per_s", ids)
        granted = np.array([_memory(tier, self.fp32_peak_bytes) for tier in tiers])[which] * self._spread("memory", ids)
        return Profiles(
            device_ids=ids,
            tier=which,
            tier_names=tuple(self.config.tiers),
            ram_bytes=ram.astype(np.int64),
            macs_per_s=macs_per_s,
            down_bytes_per_s=median["down_bytes_per_s"][which] * self._spread("down", ids),
            up_bytes_per_s=median["up_bytes_per_s"][which] * self._spread("up", ids),
            round_trip_s=median["round_trip_s"][which] * self._spread("round_trip", ids),
            j_per_mac=median["j_per_mac"][which] * self._spread("j_per_mac", ids),
            radio_w=median["radio_w"][which] * self._spread("radio_w", ids),
            # The app's latency and bits are what its makers promise per tier, so they do not spread.
            budgets=Budgets(
                memory_bytes=np.minimum(granted, ram).astype(np.int64),
                latency_s=median["latency_s"][which],
                bits=median["bits"][which],
                macs_per_s=macs_per_s,
            ),
        )

    def users(self, device_ids: Ints) -> Ints:
        """Return the user index (0 to n_users - 1) that each phone plays; one to one while phones <= users."""
        return self._users[np.asarray(device_ids, np.int64) % self.n_users]

    def select(self, round: int) -> Ints:
        """Return the ids of the phones that a round asks, ascending, without repeats.

        Needs memory for the phones selected, not for the population, unless more than half take part.
        """
        if self.selected == self.size:
            return np.arange(self.size, dtype=np.int64)
        draw = seeds.generator(self.seed, "population.select", round=round)
        if self.selected > self.size // 2:
            left_out = _distinct(draw, self.size, self.size - self.selected)
            asked = np.ones(self.size, np.bool_)
            asked[left_out] = False
            return np.flatnonzero(asked).astype(np.int64)
        return _distinct(draw, self.size, self.selected)

    @cached_property
    def _users(self) -> Ints:
        return seeds.generator(self.seed, "population.users").permutation(self.n_users).astype(np.int64)

    def _uniform(self, purpose: str, ids: Ints) -> Floats:
        return seeds.uniforms(self.seed, f"population.{purpose}", ids)[:, 0]

    def _spread(self, purpose: str, ids: Ints) -> Floats:
        """Return log-normal factors with median 1; a purpose of its own for each number keeps them independent."""
        return np.asarray(np.exp(self.config.spread * seeds.normals(self.seed, f"population.{purpose}", ids)[:, 0]))


def _medians(tiers: list[TierConfig]) -> dict[str, Floats]:
    """Return each tier's numbers in base units, [T] each."""
    columns = {
        "ram_bytes": [t.ram_gb * _GB for t in tiers],
        "macs_per_s": [t.gmacs_per_s * 1e9 for t in tiers],
        "down_bytes_per_s": [t.down_mbps * _MB / 8 for t in tiers],
        "up_bytes_per_s": [t.up_mbps * _MB / 8 for t in tiers],
        "round_trip_s": [t.round_trip_ms / 1e3 for t in tiers],
        "j_per_mac": [t.nj_per_mac * 1e-9 for t in tiers],
        "radio_w": [t.radio_w for t in tiers],
        "latency_s": [t.latency_ms / 1e3 for t in tiers],
        "bits": [t.bits for t in tiers],
    }
    return {name: np.array(values, np.float64) for name, values in columns.items()}


def _memory(tier: TierConfig, fp32_peak_bytes: int) -> float:
    if tier.memory_mb is not None:
        return tier.memory_mb * _MB
    return (tier.memory_of_fp32 or 0.0) * fp32_peak_bytes


def _distinct(draw: np.random.Generator, size: int, count: int) -> Ints:
    """Return ``count`` distinct ids below ``size``, ascending, every subset equally likely.

    Draws as many as are missing and drops repeats until none is missing. No step prefers one id to another and
    none is thrown away once held, so the set is a uniform sample.
    """
    held = np.unique(draw.integers(0, size, count, dtype=np.int64))
    while held.size < count:
        held = np.union1d(held, draw.integers(0, size, count - held.size, dtype=np.int64))
    return held
