"""When a phone is free: by habit and time zone, by a user's trace, or always; and how full its battery is by then.

Asked once per round, when the round begins: a phone that leaves in the middle is what `clock.loss` stands for.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Protocol

import numpy as np

from chordsim import seeds
from chordsim.arrays import Bools, Floats, Ints
from chordsim.config.model import AvailabilityConfig
from chordsim.population.trace import Trace, read_trace

DAY_H, HOUR_S = 24.0, 3600.0
#: Share of the time that a phone is free: Weibull (fitted: hours per device of 107,749 phones over 96 hours).
FREE_SCALE, FREE_SHAPE = 0.2051, 1.342
#: Harmonics of the density of session middles over the trace's day (fitted: days 1 to 3 of the 96-hour curve).
MIDDLES = (-0.1100 - 0.0629j, -0.1117 + 0.0441j, -0.0744 + 0.0217j, -0.0775 + 0.0025j)
#: Local hour at which the trace's day begins, so that most phones charge at two in the morning (assumed).
TRACE_BEGINS_H = 19.0
#: A session's middle wanders from day to day by so many hours (assumed).
WANDER_H = 0.5
#: UTC offsets of the world's phones, and their shares (assumed, by population on line).
ZONES = (
    (-8.0, 0.03),
    (-6.0, 0.06),
    (-5.0, 0.05),
    (-3.0, 0.06),
    (0.0, 0.05),
    (1.0, 0.11),
    (2.0, 0.06),
    (3.0, 0.09),
    (5.5, 0.20),
    (7.0, 0.08),
    (8.0, 0.18),
    (9.0, 0.03),
)
#: A full battery, and the share of it that a day without the app takes: log-normal (assumed).
BATTERY_J, DRAIN_MEDIAN, DRAIN_SPREAD = 40_000.0, 0.6, 0.3


class Availability(Protocol):
    """Who is free at a time."""

    def free(self, ids: Ints, at_s: float) -> Bools:
        """Return which phones [D] are free, ``at_s`` seconds after midnight UTC of the first day."""
        ...


class Always:
    """Everybody, at all times."""

    def free(self, ids: Ints, at_s: float) -> Bools:
        """Return that all are free."""
        return np.ones(ids.size, np.bool_)


class Habit:
    """One session a day, on the charger: its length is the phone's own, its middle its owner's habit in local time."""

    def __init__(self, config: AvailabilityConfig, seed: int) -> None:
        self._world, self._seed = config.time_zones == "world", seed

    def free(self, ids: Ints, at_s: float) -> Bools:
        """Return who is within a session."""
        return np.asarray(self.since_session_h(ids, at_s) <= 0)

    def since_session_h(self, ids: Ints, at_s: float) -> Floats:
        """Return the hours since the last session ended, [D]; 0 or less within one."""
        length = self.length_h(ids)
        local = (at_s / HOUR_S + self._zone_h(ids)) % DAY_H
        after = (local - self._middle_h(ids, at_s) + DAY_H / 2) % DAY_H - DAY_H / 2  # hours after the nearest middle
        return np.asarray(np.where(after >= -length / 2, after - length / 2, after + DAY_H - length / 2))

    def length_h(self, ids: Ints) -> Floats:
        """Return how long each phone's daily session is, in hours, [D]."""
        u = seeds.uniforms(self._seed, "availability.length", ids)[:, 0]
        return np.asarray(DAY_H * np.minimum(1.0, FREE_SCALE * (-np.log1p(-u)) ** (1 / FREE_SHAPE)))

    def battery(self, ids: Ints, at_s: float) -> Floats:
        """Return how full each battery is without the app's use, [D]: full at the session's end, then falling."""
        drain = DRAIN_MEDIAN * np.exp(DRAIN_SPREAD * seeds.normals(self._seed, "battery.drain", ids)[:, 0])
        hours = np.maximum(self.since_session_h(ids, at_s), 0.0)
        return np.asarray(np.maximum(1 - drain * hours / DAY_H, 0.0))

    def _middle_h(self, ids: Ints, at_s: float) -> Floats:
        shares, hours = _middles()
        habit = np.interp(seeds.uniforms(self._seed, "availability.middle", ids)[:, 0], shares, hours)
        day = int(at_s // (DAY_H * HOUR_S)) + 1
        return np.asarray(habit + WANDER_H * seeds.normals(self._seed, "availability.wander", ids, round=day)[:, 0])

    def _zone_h(self, ids: Ints) -> Floats:
        if not self._world:
            return np.zeros(ids.size)
        offsets, shares = np.array([z for z, _ in ZONES]), np.cumsum([s for _, s in ZONES])
        which = np.searchsorted(shares / shares[-1], seeds.uniforms(self._seed, "availability.zone", ids)[:, 0], side="right")
        return offsets[np.minimum(which, offsets.size - 1)]


class Traced:
    """A user's trace: phone d lives like the trace's phone number d modulo its phones; the trace repeats by whole days."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace

    def free(self, ids: Ints, at_s: float) -> Bools:
        """Return who is within one of the trace's spans."""
        return self._trace.covers(ids % self._trace.devices, at_s % self._trace.period_s)


def availability_of(config: AvailabilityConfig, seed: int) -> Availability:
    """Return what a scenario names.

    Raises:
        DataError: The trace cannot be used.
    """
    if config.kind == "trace":
        return Traced(read_trace(config.trace))
    return Habit(config, seed) if config.kind == "diurnal" else Always()


@lru_cache(maxsize=1)
def _middles() -> tuple[Floats, Floats]:
    """Return cumulative shares and local hours of session middles."""
    hours = np.linspace(0.0, DAY_H, 2401)
    density = np.ones(hours.size)
    for order, value in enumerate(MIDDLES, 1):
        density += (value * np.exp(2j * math.pi * order * (hours - TRACE_BEGINS_H) / DAY_H)).real
    step = (density[1:] + density[:-1]) / 2
    running = np.concatenate([[0.0], np.cumsum(step)])
    return running / running[-1], hours
