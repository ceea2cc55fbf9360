"""Phones drawn from a scenario's tiers: every number is a function of (seed, device id) and of nothing else."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from chordsim import seeds
from chordsim.arrays import Floats, Ints
from chordsim.config.model import PopulationConfig
from chordsim.errors import ScenarioError, UserError
from chordsim.methods import Budgets
from chordsim.population.assign import Assignment
from chordsim.population.availability import Always, Availability, availability_of
from chordsim.population.hardware import CsvPhones, Hardware, source_of, spread
from chordsim.population.latency import ModelSize, read_latency, side_by_side
from chordsim.population.profile import Profiles

_MB = 1e6
#: What `population.equal` levels, by its words.
_PARTS = {
    "ram": ("ram_bytes", "memory"),
    "compute": ("macs_per_s", "j_per_mac"),
    "link": ("down_bytes_per_s", "up_bytes_per_s", "round_trip_s", "radio_w"),
    "availability": (),
}
#: Phones whose median stands for all where a side is made equal; a constant, so that it depends on no population's size.
_MEDIAN_SAMPLE = 20_001
#: Phones whose median stands for a tier where a table of latency is told.
_PHONES_TOLD = 2_000
#: A round that asks everyone holds a row per phone; beyond this a scenario must say how many it asks.
MOST_SELECTED = 100_000_000


@dataclass(frozen=True)
class Pace:
    """How much is asked of a phone, and how often.

    Attributes:
        requests_per_round: Requests that a phone answers in a round.
        rounds_per_day: Rounds in 24 hours.
        over_select: How many phones are asked for one that is wanted.
    """

    requests_per_round: int = 1
    rounds_per_day: float = 1.0
    over_select: float = 1.0

    @property
    def requests_per_day(self) -> float:
        """Requests in 24 hours."""
        return self.requests_per_round * self.rounds_per_day


class Population:
    """The phones of one run. Holds nothing per phone, so its size is only a number.

    Attributes:
        config: The scenario's ``[population]``.
        seed: The scenario's seed.
        size: Number of phones.
        n_users: Number of users in the data.
        wanted: How many phones a round wants.
        selected: How many it asks, which is more with over-selection.
        pace: How much is asked of a phone, and how often.
        availability: Who is free when.
        model: The model that phones run, where that is known.
        latency: Its measured seconds, where the scenario has a table of them.
    """

    def __init__(
        self,
        config: PopulationConfig,
        seed: int,
        n_users: int,
        fp32_peak_bytes: int,
        *,
        pace: Pace | None = None,
        activity: Ints | None = None,
        model: ModelSize | None = None,
    ) -> None:
        """Prepare to draw phones.

        Args:
            config: The scenario's ``[population]``.
            seed: The scenario's seed.
            n_users: Number of users in the data, at least 1.
            fp32_peak_bytes: Peak memory of the full-precision model, to which ``memory_of_fp32`` refers.
            pace: How much is asked of a phone and how often; by default one request a day.
            activity: How active each user is, [n_users]; needed where ``activity_tier`` is not 0.
            model: What ``latency`` holds the seconds of; without it phones' seconds are operations over speed.

        Raises:
            ScenarioError: No phones, more selected than there are, or too many for one round.
            DataError: The CSV of own phones cannot be used.
        """
        self.config = config
        self.seed = seed
        self.n_users = n_users
        self.fp32_peak_bytes = fp32_peak_bytes
        self.pace = pace or Pace()
        self.size = config.devices or n_users
        self.wanted = config.selected or self.size
        self.selected = min(self.size, math.ceil(self.wanted * self.pace.over_select))
        if n_users < 1:
            raise ScenarioError("population: there are no users, so no phone has anyone to play")
        if config.selected > self.size:
            raise ScenarioError(f"population.selected = {config.selected}, but there are {self.size} phones: use at most {self.size}")
        if self.selected > MOST_SELECTED:
            raise ScenarioError(
                f"population.selected = {config.selected} asks {self.selected:,} of {self.size:,} phones in every round: "
                f"set it to at most {MOST_SELECTED:,}"
            )
        self._hardware = source_of(config, seed)
        self.model = model
        self.latency = read_latency(config.latency, model, tuple(config.tiers)) if config.latency and model else None
        knocked_out = "availability" in config.equal
        self.availability: Availability = Always() if knocked_out else availability_of(config.availability, seed)
        self._assignment = Assignment(config.activity_tier, seed, n_users, activity, self._hardware)

    @property
    def equal(self) -> tuple[str, ...]:
        """Which sides of the phones are made equal."""
        return self.config.equal

    @property
    def columns(self) -> tuple[str, ...]:
        """What phones can be grouped by: their tier, and the further columns of a file of own phones."""
        return ("tier", *(self._hardware.further if isinstance(self._hardware, CsvPhones) else ()))

    @property
    def notes(self) -> tuple[str, ...]:
        """What to say of a file of own phones (columns that were kept or not read), and of a table of measured latency."""
        own = self._hardware.notes if isinstance(self._hardware, CsvPhones) else ()
        if self.latency is None:
            return own
        some = self._hardware.draw(np.arange(min(self.size, _PHONES_TOLD), dtype=np.int64))
        told = [
            side_by_side(self.latency, name, tier, float(np.median(some.macs_per_s[some.tier == place])))
            for place, (name, tier) in enumerate(self.config.tiers.items())
            if (some.tier == place).any()
        ]
        return (*own, f"seconds on the phone follow {Path(self.config.latency).name}: {'; '.join(told)}")

    def labelled(self, device_ids: Ints, column: str) -> tuple[Ints, tuple[str, ...]]:
        """Return the group of each phone by a column, as codes [D] and the words that they stand for.

        Raises:
            UserError: No such column; the text tells which there are.
        """
        ids = np.asarray(device_ids, np.int64)
        if column == "tier":
            return self._hardware.draw(ids).tier, tuple(self.config.tiers)
        if column not in self.columns or not isinstance(self._hardware, CsvPhones):
            there = f"phones have {', '.join(self.columns)}"
            own = "" if self.config.csv else "; further columns come with population.csv"
            raise UserError(f"no column {column!r} to group phones by: {there}{own}")
        return self._hardware.label(ids, column), self._hardware.further[column].words

    def words(self, device_ids: Ints) -> dict[str, npt.NDArray[np.str_]]:
        """Return the further columns of a file of own phones, by name, [D] each."""
        out = {}
        for column in self.columns[1:]:
            codes, words = self.labelled(device_ids, column)
            out[column] = np.array(words, np.str_)[codes]
        return out

    def profiles(self, device_ids: Ints) -> Profiles:
        """Return the phones with these ids, in any order; vectorised, nothing depends on the other ids."""
        ids = np.asarray(device_ids, np.int64)
        hardware = self._hardware.draw(ids)
        memory = self._memory(hardware, ids)
        if self.equal:
            hardware, memory = self._equalised(hardware, memory)
        return self._granting(ids, hardware, memory)

    def _granting(self, ids: Ints, hardware: Hardware, memory: Floats) -> Profiles:
        tiers = list(self.config.tiers.values())
        latency = np.array([t.latency_ms / 1e3 for t in tiers])[hardware.tier]
        daily = np.array([np.inf if t.joules_per_day is None else t.joules_per_day for t in tiers])[hardware.tier]
        table = self.latency
        timed = table.timed(hardware.tier, tuple(self.config.tiers), hardware.macs_per_s) if table else None
        speed = timed.speed if timed else hardware.macs_per_s
        # A request's joules are its operations' joules, so a cap on joules is a cap on operations, hence on seconds.
        each = daily / self.pace.requests_per_day
        with np.errstate(divide="ignore"):
            by_joules = each / hardware.j_per_mac / speed
        return Profiles(
            device_ids=ids,
            tier=hardware.tier,
            tier_names=tuple(self.config.tiers),
            ram_bytes=hardware.ram_bytes.astype(np.int64),
            macs_per_s=hardware.macs_per_s,
            down_bytes_per_s=hardware.down_bytes_per_s,
            up_bytes_per_s=hardware.up_bytes_per_s,
            round_trip_s=hardware.round_trip_s,
            j_per_mac=hardware.j_per_mac,
            radio_w=hardware.radio_w,
            # The app's latency and bits are what its makers promise per tier, so they do not spread.
            budgets=Budgets(
                memory_bytes=np.minimum(memory, hardware.ram_bytes).astype(np.int64),
                latency_s=np.minimum(latency, by_joules),
                bits=np.array([t.bits for t in tiers])[hardware.tier],
                macs_per_s=speed,
            ),
            by_joules=by_joules < latency,
            timed=timed,
        )

    def _memory(self, hardware: Hardware, ids: Ints) -> Floats:
        tiers = list(self.config.tiers.values())
        peak = self.fp32_peak_bytes
        fixed = np.array([(t.memory_mb or 0.0) * _MB + (t.memory_of_fp32 or 0.0) * peak for t in tiers])
        share = np.array([t.memory_share or 0.0 for t in tiers])
        granted = fixed[hardware.tier] + share[hardware.tier] * hardware.ram_bytes
        return np.asarray(granted * spread(self.config, self.seed, "memory", ids))

    def _equalised(self, hardware: Hardware, memory: Floats) -> tuple[Hardware, Floats]:
        """Give every phone the median of what is knocked out; tiers stay what they were."""
        fields = [name for part in self.equal for name in _PARTS[part]]
        same = {name: np.full(memory.size, self._medians[name]) for name in fields if name != "memory"}
        return replace(hardware, **same), np.full(memory.size, self._medians["memory"]) if "memory" in fields else memory

    @cached_property
    def _medians(self) -> dict[str, float]:
        ids = np.arange(_MEDIAN_SAMPLE, dtype=np.int64)
        hardware = self._hardware.draw(ids)
        drawn = {name: getattr(hardware, name) for part in _PARTS.values() for name in part if name != "memory"}
        return {name: float(np.median(values)) for name, values in {**drawn, "memory": self._memory(hardware, ids)}.items()}

    def users(self, device_ids: Ints) -> Ints:
        """Return the user index (0 to n_users - 1) that each phone plays; one to one while phones <= users."""
        return self._assignment.users(np.asarray(device_ids, np.int64))

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


def _distinct(draw: np.random.Generator, size: int, count: int) -> Ints:
    """Return ``count`` distinct ids below ``size``, ascending, every subset equally likely.

    Draws as many as are missing and drops repeats until none is missing. No step prefers one id to another and
    none is thrown away once held, so the set is a uniform sample.
    """
    held = np.unique(draw.integers(0, size, count, dtype=np.int64))
    while held.size < count:
        held = np.union1d(held, draw.integers(0, size, count - held.size, dtype=np.int64))
    return held
