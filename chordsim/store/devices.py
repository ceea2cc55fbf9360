"""The phones that a run leaves behind in devices.parquet: one line each, with every limiting value."""

from __future__ import annotations

from typing import Any

import numpy as np

from chordsim.arrays import Ints
from chordsim.sized import SizedWorld
from chordsim.store.directory import RunDirectory
from chordsim.world import World


def write(store: RunDirectory, world: World | SizedWorld, selected: Ints, most: int | None = None) -> None:
    """Write devices.parquet, and say in its metadata and in the manifest how much of the fleet it holds.

    Args:
        store: The run.
        world: Its scenario.
        selected: Phones of the last round, ascending.
        most: How many of them are kept, the first ones; None for all.
    """
    ids = selected[:most]
    fleet, last = world.population.size, world.scenario.rounds.count
    kept = f"the first {ids.size:,} of {selected.size:,} phones" if ids.size < selected.size else f"{ids.size:,} phones"
    holds: dict[str, int | bool | str] = {
        "rows": int(np.unique(ids).size),
        "fleet": fleet,
        "part": bool(np.unique(ids).size < fleet),
        "which": f"{kept} selected in round {last}, of a fleet of {fleet:,}",
    }
    store.write_devices(columns(world, ids), holds)
    store.write_manifest("running", devices=holds)


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
        **world.population.words(unique),
    }
