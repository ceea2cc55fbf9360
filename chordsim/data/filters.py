"""Which users and items stay: minimum counts or k-core, users long enough to split, a seeded sample of users."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from chordsim import seeds
from chordsim.data.interactions import Interactions
from chordsim.errors import DataError


def minimum_counts(log: Interactions, min_user: int, min_item: int, repeat: bool) -> Interactions:
    """Drop rare items, then short users.

    Args:
        log: The log.
        min_user: Interactions that a user needs.
        min_item: Interactions that an item needs.
        repeat: Go on until both hold at once (k-core); otherwise one pass, after which the loss of short
            users can leave an item below its minimum.

    Raises:
        DataError: Nothing is left.
    """
    items, users = log.items, log.rows()
    alive = np.ones(items.size, np.bool_)
    while True:
        of_item = np.bincount(items[alive], minlength=log.n_items + 1)
        kept = alive & (of_item[items] >= min_item)
        of_user = np.bincount(users[kept], minlength=log.n_users)
        kept &= of_user[users] >= min_user
        if not kept.any():
            kind = "k-core" if repeat else "minimum counts"
            raise DataError(f"{log.source.name}: nothing is left by the {kind} of {min_user} a user and {min_item} an item; lower them")
        unchanged = np.count_nonzero(kept) == np.count_nonzero(alive)
        alive = kept
        if unchanged or not repeat:
            break
    return _noted(log, log.keep(alive), f"dropped by data.min_user = {min_user}, data.min_item = {min_item}")


def long_enough(log: Interactions, needed: int, rounds: int, min_item: int, repeat: bool) -> Interactions:
    """Drop users with fewer than ``needed`` interactions, and with ``repeat`` the items that become rare by it.

    Raises:
        DataError: No user is left.
    """
    longest = int(log.lengths.max())
    if longest < needed:
        raise DataError(
            f"{log.source.name}: rounds.count = {rounds} needs {needed} interactions of a user; the most that one has is {longest}"
        )
    if int(log.lengths.min()) >= needed:
        return log
    kept = minimum_counts(log, needed, min_item if repeat else 1, repeat)
    source = replace(kept.source, notes=log.source.notes)
    dropped = log.n_users - kept.n_users
    return replace(kept, source=source.noted(f"{dropped:,} users dropped: {rounds} rounds need {needed} interactions of each"))


def sample_users(log: Interactions, count: int, seed: int) -> Interactions:
    """Keep ``count`` users drawn by the seed; a smaller count draws a part of the same users.

    Items that only other users had leave the catalogue.
    """
    if count >= log.n_users:
        return log
    draw = seeds.uniforms(seed, "data.max_users", np.arange(log.n_users))[:, 0]
    chosen = np.zeros(log.n_users, np.bool_)
    chosen[np.argsort(draw, kind="stable")[:count]] = True
    kept = log.keep(chosen[log.rows()])
    return replace(kept, source=kept.source.noted(f"{count:,} of {log.n_users:,} users drawn by the seed"))


def _noted(before: Interactions, after: Interactions, why: str) -> Interactions:
    users, items = before.n_users - after.n_users, before.n_items - after.n_items
    if before.items.size == after.items.size:
        return before
    return replace(after, source=after.source.noted(f"{users:,} users and {items:,} items {why}"))
