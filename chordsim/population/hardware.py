"""Hardware of phones by device id, from an era's fitted distributions, a user's own CSV, or the scenario's tiers alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from chordsim import seeds
from chordsim.arrays import Floats, Ints
from chordsim.config.model import PopulationConfig, TierConfig, era_tiers
from chordsim.errors import ScenarioError
from chordsim.population.eras import DOWN_UP_LATENT, ERAS, RAM_SPEED_LATENT, Era
from chordsim.population.marginals import of_mixture, of_steps, z_of_shares
from chordsim.population.own import Labels, OwnPhones, read_own

GB, MBIT_BYTES = 1e9, 1e6 / 8


@dataclass(frozen=True)
class Hardware:
    """D phones, shape [D] each; see `Profiles` for units. `speed_z` places a phone among all by speed (a normal latent)."""

    tier: Ints
    speed_z: Floats
    ram_bytes: Floats
    macs_per_s: Floats
    down_bytes_per_s: Floats
    up_bytes_per_s: Floats
    round_trip_s: Floats
    j_per_mac: Floats
    radio_w: Floats


class Source(Protocol):
    """Where hardware comes from."""

    def draw(self, ids: Ints) -> Hardware:
        """Return the hardware of these phones; each depends on the seed and its own id alone."""
        ...


def source_of(config: PopulationConfig, seed: int) -> Source:
    """Return the source that a scenario names.

    Raises:
        DataError: The CSV cannot be used.
        ScenarioError: A tier that no phone of the CSV falls into.
    """
    if config.source == "era":
        return EraPhones(ERAS[config.era], config, seed)
    if config.source == "csv":
        return CsvPhones(config, seed)
    return TierPhones(config, seed)


def spread(config: PopulationConfig, seed: int, purpose: str, ids: Ints) -> Floats:
    """Return log-normal factors with median 1; a purpose of its own for each number keeps them independent."""
    return np.asarray(np.exp(config.spread * seeds.normals(seed, f"population.{purpose}", ids)[:, 0]))


@dataclass(frozen=True)
class TierPhones:
    """Medians per tier, spread log-normally and independently."""

    config: PopulationConfig
    seed: int

    def draw(self, ids: Ints) -> Hardware:
        """Return the hardware of these phones."""
        bounds = np.cumsum([tier.share for tier in self.config.tiers.values()])[:-1]
        which = np.searchsorted(bounds, seeds.uniforms(self.seed, "population.tier", ids)[:, 0], side="right").astype(np.int64)
        m = self._medians

        def around(name: str, purpose: str) -> Floats:
            return np.asarray(m[name][which] * spread(self.config, self.seed, purpose, ids))

        speed = around("macs_per_s", "macs_per_s")
        return Hardware(
            which,
            self._place(speed),
            np.maximum(around("ram_bytes", "ram"), 1),
            speed,
            around("down_bytes_per_s", "down"),
            around("up_bytes_per_s", "up"),
            around("round_trip_s", "round_trip"),
            around("j_per_mac", "j_per_mac"),
            around("radio_w", "radio_w"),
        )

    def _place(self, speed: Floats) -> Floats:
        """Place phones by the log of their speed, standardised over the tiers' medians."""
        tiers = list(self.config.tiers.values())
        shares, logs = np.array([t.share for t in tiers]), np.log(self._medians["macs_per_s"])
        mean = float(shares @ logs)
        sd = float(np.sqrt(shares @ (logs - mean) ** 2 + self.config.spread**2)) or 1.0
        return np.asarray((np.log(speed) - mean) / sd)

    @cached_property
    def _medians(self) -> dict[str, Floats]:
        """Each tier's numbers in base units, [T] each."""
        tiers = list(self.config.tiers.values())
        factors = {
            "ram_bytes": ("ram_gb", GB),
            "macs_per_s": ("gmacs_per_s", 1e9),
            "down_bytes_per_s": ("down_mbps", MBIT_BYTES),
            "up_bytes_per_s": ("up_mbps", MBIT_BYTES),
            "round_trip_s": ("round_trip_ms", 1e-3),
            "j_per_mac": ("nj_per_mac", 1e-9),
            "radio_w": ("radio_w", 1.0),
        }
        return {name: np.array([getattr(t, key) * factor for t in tiers], np.float64) for name, (key, factor) in factors.items()}


@dataclass(frozen=True)
class EraPhones:
    """Phones of an era: fitted marginals joined by a Gaussian copula; tiers are quantiles of speed."""

    era: Era
    config: PopulationConfig
    seed: int

    def draw(self, ids: Ints) -> Hardware:
        """Return the hardware of these phones."""
        era = self.era
        speed, down = self._z("speed", ids), self._z("down", ids)
        ram = RAM_SPEED_LATENT * speed + np.sqrt(1 - RAM_SPEED_LATENT**2) * self._z("ram", ids)
        up = DOWN_UP_LATENT * down + np.sqrt(1 - DOWN_UP_LATENT**2) * self._z("up", ids)
        # A fast phone has a short latency, so the latent changes its sign.
        latency_s = of_mixture(-speed, era.latency_ms) * 1e-3
        return Hardware(
            tier_by_speed(speed, list(self.config.tiers.values())),
            speed,
            of_steps(ram, era.ram_gb) * GB,
            era.macs_per_sample / latency_s,
            of_mixture(down, era.down_mbps) * MBIT_BYTES,
            of_mixture(up, era.down_mbps) * era.up_of_down * MBIT_BYTES,
            of_mixture(self._z("round_trip", ids), era.round_trip_ms) * 1e-3,
            of_mixture(self._z("joules", ids), era.nj_per_mac) * 1e-9,
            of_mixture(self._z("radio", ids), era.radio_w),
        )

    def _z(self, purpose: str, ids: Ints) -> Floats:
        return seeds.normals(self.seed, f"population.era.{purpose}", ids)[:, 0]


class CsvPhones:
    """A user's own phones: every device is a row drawn by its weight, spread a little around it."""

    def __init__(self, config: PopulationConfig, seed: int) -> None:
        self._config, self._seed = config, seed
        self._own: OwnPhones = read_own(config.csv)
        tiers = list(config.tiers.values())
        self._tier = self._named() if self._own.tier else tier_by_speed(self._own.speed_z, tiers)
        counts = np.bincount(self._tier, minlength=len(tiers))
        if not counts.all() and config.tiers != era_tiers():
            empty = list(config.tiers)[int(np.argmin(counts))]
            mend = "leave population.tiers out to take them from the file, or give it a column `tier`"
            raise ScenarioError(f"population.tiers.{empty}: no phone of {config.csv} falls into this tier: {mend}")

    @property
    def further(self) -> Mapping[str, Labels]:
        """Columns that phones can be grouped by, of the file's rows."""
        return self._own.further

    @property
    def notes(self) -> tuple[str, ...]:
        """What to say of the file."""
        return self._own.notes

    def label(self, ids: Ints, column: str) -> Ints:
        """Return each phone's code in a further column, [D]."""
        return self._own.further[column].codes[self._rows(ids)]

    def _rows(self, ids: Ints) -> Ints:
        row = np.searchsorted(self._own.cumulative, seeds.uniforms(self._seed, "population.csv.row", ids)[:, 0], side="right")
        return np.minimum(row, self._own.cumulative.size - 1)

    def draw(self, ids: Ints) -> Hardware:
        """Return the hardware of these phones."""
        own = self._own
        row = self._rows(ids)

        def around(name: str, factor: float) -> Floats:
            return np.asarray(own.columns[name][row] * factor * spread(self._config, self._seed, f"csv.{name}", ids))

        return Hardware(
            self._tier[row],
            own.speed_z[row],
            np.maximum(own.columns["ram_gb"][row] * GB, 1),
            around("gmacs_per_s", 1e9),
            around("down_mbps", MBIT_BYTES),
            around("up_mbps", MBIT_BYTES),
            around("round_trip_ms", 1e-3),
            around("nj_per_mac", 1e-9),
            around("radio_w", 1.0),
        )

    def _named(self) -> Ints:
        names, own = list(self._config.tiers), self._own
        stray = next((row for row, name in enumerate(own.tier) if name not in names), None)
        if stray is not None:
            raise ScenarioError(f"{own.place(stray)}: tier {own.tier[stray]!r} is not one of population.tiers: {', '.join(names)}")
        return np.array([names.index(t) for t in own.tier], np.int64)


def tier_by_speed(speed_z: Floats, tiers: list[TierConfig]) -> Ints:
    """Return the tier of each phone: the slowest share is the first tier, and so on; a rule, whatever the population's size."""
    return np.searchsorted(z_of_shares(tuple(t.share for t in tiers)), speed_z, side="right").astype(np.int64)
