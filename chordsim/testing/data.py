"""What data are held to, whatever file or table they come from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from chordsim.arrays import Ints
from chordsim.scenario.load import load
from chordsim.testing.properties import Property, held, need
from chordsim.world import World, build


def check_data(*overrides: str) -> tuple[str, ...]:
    """Hold the data of a scenario against all properties.

    Args:
        overrides: What ``--set`` would say, such as ``data.source="file"`` and ``data.path="clicks.csv"``.

    Returns:
        The names of the properties.

    Raises:
        PropertyFailed: The first property that they lack, by name.
        DataError: They cannot be read at all.
    """
    scenario = load("offline", [*overrides, 'methods=["popularity"]', "backbone.max_len=10", "rounds.count=2"])
    return held(scenario.data.source, [build(scenario), build(scenario)], PROPERTIES)


def _repeatable(worlds: Sequence[World]) -> None:
    need(worlds[0].digest == worlds[1].digest, "other interactions the second time")


def _numbered(worlds: Sequence[World]) -> None:
    log = worlds[0].split.log
    need(int(log.items.min()) >= 1 and int(log.items.max()) <= log.n_items, f"an item outside 1 to {log.n_items}")
    need(log.lengths.size == log.n_users and int(log.lengths.min()) >= 1, "a user without an interaction")


def _unseen(worlds: Sequence[World]) -> None:
    world = worlds[0]
    split, users, longest = world.split, np.arange(min(200, world.split.log.n_users)), int(world.split.log.lengths.max())
    before, after = (split.history(users, number, longest).items for number in (1, 2))
    targets = split.targets(users, 1)
    rows = {int(user): row for row, user in enumerate(world.logs.user_ids)}
    trained = world.logs.history(np.arange(len(world.logs)), longest).items
    for user in users.tolist():
        own, later = (_real(table[user]) for table in (before, after))
        need(later == [*own, int(targets[user])], f"user {user}: the history of round 2 is not that of round 1 and its target")
        known = _real(trained[rows[user]]) if user in rows else []
        need(own[: len(known)] == known, f"user {user}: the cloud trains on what comes after the first history")


def _real(items: Ints) -> list[int]:
    return [item for item in items.tolist() if item > 0]


PROPERTIES = (
    Property("repeatable", _repeatable),
    Property("numbered without gaps", _numbered),
    Property("split without a look ahead", _unseen),
)
