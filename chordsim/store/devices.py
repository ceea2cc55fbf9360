"""The phones that a run leaves behind in devices.parquet: one line each, with every limiting value."""

from __future__ import annotations

from typing import Any

import numpy as np

from chordsim.arrays import Ints
from chordsim.sized import SizedWorld
from chordsim.world import World


def columns(world: World | SizedWorld, ids: Ints) -> dict[str, Any]:
    """Return the phones with these ids, by column."""
    unique = np.unique(ids)
    phones, users = world.population.profiles(unique), world.population.users(unique)
    people: dict[str, Any] = {}
    if isinstance(world, World):
        people["history_items"] = np.diff(world.split.log.offsets)[users] - world.split.rounds
    people["tier"] = np.array(phones.tier_names)[phones.tier]
    if isinstance(world, World):
        people["known_to_cloud"] = world.split.known(users)
    return {
        "device_id": unique,
        "user_id": users,
        **people,
        "ram_bytes": phones.ram_bytes,
        "macs_per_s": phones.macs_per_s,
        "down_bytes_per_s": phones.down_bytes_per_s,
        "up_bytes_per_s": phones.up_bytes_per_s,
        "round_trip_s": phones.round_trip_s,
        "j_per_mac": phones.j_per_mac,
        "radio_w": phones.radio_w,
        "memory_budget_bytes": phones.budgets.memory_bytes,
        "latency_budget_s": phones.budgets.latency_s,
        "latency_by_joules": phones.by_joules,
        "bits_budget": phones.budgets.bits,
    }
