"""Overrides that change nothing: a key that no phone of this population takes anything from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from pydantic import ValidationError

from chordsim.config.model import Scenario
from chordsim.config.phones import MEMORY_KEYS, PopulationConfig
from chordsim.population.generate import Population
from chordsim.population.profile import Profiles
from chordsim.round.scene import begins_s
from chordsim.sized import SizedWorld
from chordsim.world import pace_of

#: Of a phone, what a round takes from it. Its RAM alone is no such thing: only what is granted of it is.
_USED = ("tier", "macs_per_s", "down_bytes_per_s", "up_bytes_per_s", "round_trip_s", "j_per_mac", "radio_w")
_GRANTED = ("memory_bytes", "latency_s", "bits", "macs_per_s")


def inert(changed: Mapping[str, tuple[Any, Any]], old: Scenario, new: Scenario, world: SizedWorld) -> dict[str, str]:
    """Return the changed keys of the population without which every phone would be the same, each with a reason.

    Args:
        changed: Keys with both values.
        old: The run's scenario.
        new: The one that is asked about.
        world: Its phones.
    """
    out = {}
    for key, (before, _) in changed.items():
        if not key.startswith("population.") or before is None:
            continue
        without = _without(key, before, new)
        if without is not None and _same_phones(world, without):
            out[key] = _reason(key, old)
    return out


def _without(key: str, before: Any, new: Scenario) -> PopulationConfig | None:
    """Return the population with one key as it was; None where that is no population."""
    tables: Any = new.population.model_dump()
    *path, last = key.split(".")[1:]
    table = tables
    for part in path:
        if part not in table:
            return None
        table = table[part]
    table[last] = before
    try:
        return PopulationConfig.model_validate(tables)
    except ValidationError:
        return None


def _same_phones(world: SizedWorld, config: PopulationConfig) -> bool:
    """Return whether all phones of the world would do and grant the same under another population table."""
    ours, scenario = world.population, world.scenario
    ids = np.arange(ours.size, dtype=np.int64) if ours.size <= 100_000 else ours.select(1)
    other = Population(config, ours.seed, world.n_users, ours.fp32_peak_bytes, pace=pace_of(scenario), model=ours.model)
    if ours.config.latency != config.latency or ours.config.availability.battery_floor != config.availability.battery_floor:
        return False
    if not _alike(ours.profiles(ids), other.profiles(ids)):
        return False
    begins = [begins_s(scenario, round) for round in range(1, scenario.rounds.count + 1)]
    return all(np.array_equal(ours.availability.free(ids, at_s), other.availability.free(ids, at_s)) for at_s in begins)


def _alike(one: Profiles, two: Profiles) -> bool:
    same = all(np.array_equal(getattr(one, name), getattr(two, name)) for name in _USED)
    return same and all(np.array_equal(getattr(one.budgets, name), getattr(two.budgets, name)) for name in _GRANTED)


def _reason(key: str, old: Scenario) -> str:
    parts = key.split(".")
    if parts[-1] == "ram_gb" and len(parts) == 4 and parts[2] in old.population.tiers:
        tier = old.population.tiers[parts[2]]
        follows = next((name for name in MEMORY_KEYS if getattr(tier, name) is not None), "")
        return f"what a phone of this tier grants follows {follows}, and its RAM holds that either way"
    return "no phone of this population does or grants anything else"
