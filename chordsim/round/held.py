"""What the simulator remembers about each phone between rounds: model version, age of what it shows, joules since the last charge."""

from __future__ import annotations

import numpy as np

from chordsim.arrays import Bools, Columns, Floats, Ints
from chordsim.config.model import Scenario
from chordsim.population.availability import BATTERY_J, Habit

_SMALL = np.int32


def columns_for(scenario: Scenario, devices: int) -> Columns:
    """Return the columns that a scenario needs, one entry per device; memory that no device touches is never paged in."""
    out: Columns = {"plan_round": np.zeros(devices, _SMALL)}
    if scenario.population.availability.battery_floor:
        out |= {"used_j": np.zeros(devices, np.float32), "used_at_s": np.zeros(devices, np.float64)}
    return out


def flat(held: Columns, scenario: Scenario, ids: Ints, at_s: float) -> Bools:
    """Return whose battery is below the floor when the round begins, [D]: a daily curve minus the app's own use."""
    floor = scenario.population.availability.battery_floor
    if not floor:
        return np.zeros(ids.size, np.bool_)
    habit = Habit(scenario.population.availability, scenario.seed)
    level = habit.battery(ids, at_s) - _since_charge(held, habit, ids, at_s) / BATTERY_J
    return np.asarray(level < floor)


def spend(held: Columns, scenario: Scenario, ids: Ints, at_s: float, joules: Floats) -> None:
    """Add what phones spent in a round to what they spent since their last charge."""
    if "used_j" in held:
        habit = Habit(scenario.population.availability, scenario.seed)
        held["used_j"][ids] = _since_charge(held, habit, ids, at_s) + joules
        held["used_at_s"][ids] = at_s


def _since_charge(held: Columns, habit: Habit, ids: Ints, at_s: float) -> Floats:
    """Return the joules that the app has spent since each phone's last charge ended, [D]."""
    hours = habit.since_session_h(ids, at_s)
    charged = (hours <= 0) | (held["used_at_s"][ids] < at_s - hours * 3600)
    return np.asarray(np.where(charged, 0.0, held["used_j"][ids]))
