"""`data.split = "global-time"`: one moment for everybody; the cloud trains on what came before it, phones are asked for what came after.

Holding out each user's last items lets the cloud train on what other users did later than the target. Here nothing that the
cloud trains on, or chooses its models by, happened after the cut, whoever did it. A user whom the cut does not divide well
enough to play can still be trained on: such users are kept apart, as the past.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from chordsim.arrays import Bools
from chordsim.data.interactions import Interactions
from chordsim.data.split import SHORTEST_BESIDES_TARGETS
from chordsim.errors import DataError


def at_one_time(log: Interactions, rounds: int, train_share: float) -> tuple[Interactions, Interactions | None]:
    """Cut a log at one moment.

    Args:
        log: With time stamps.
        rounds: R: a user plays with this many items at the cut or later, and enough before it to train on and to validate.
        train_share: Share of all interactions that come before the cut; those of the cut's own second come after it.

    Returns:
        Users who play, each up to the R-th item after the cut, so that their last R items are the targets and the item before
        them is the last one before the cut; and users who are trained on alone, up to the cut, or None. Both number items alike.

    Raises:
        DataError: No time stamps, or a cut that leaves nobody to play.
    """
    if log.timestamps is None:
        raise DataError(
            f'{log.source.name}: data.split = "global-time" needs time stamps, and this copy tells only the order of each user\'s items; '
            'use a file that has them (u.data, .inter, ratings.dat, csv), or data.split = "last"'
        )
    cut = int(np.sort(log.timestamps)[int(train_share * log.timestamps.size)])
    early = log.timestamps < cut
    users = log.rows()
    before = np.bincount(users, early, log.n_users).astype(np.int64)
    trained = before >= SHORTEST_BESIDES_TARGETS
    plays = trained & (log.lengths - before >= rounds)
    if not plays.any():
        raise DataError(
            f'{log.source.name}: data.split = "global-time" at {train_share:g} of the interactions leaves nobody with '
            f"{SHORTEST_BESIDES_TARGETS} before it and {rounds} after: change data.train_share or lower rounds.count"
        )
    place = np.arange(log.items.size) - np.repeat(log.offsets[:-1], log.lengths)
    kept = np.where(plays[users], place < (before + rounds)[users], early & trained[users])
    dropped = log.n_users - int(trained.sum())
    alone = int((trained & ~plays).sum())
    note = f"cut at time {cut}: {int(plays.sum()):,} users play, {alone:,} are trained on alone, {dropped:,} are dropped"
    whole = log.keep(kept)
    whole = replace(whole, source=whole.source.noted(note))
    # Users that `keep` left are those trained on, in the same order.
    playing = plays[trained]
    return _of_users(whole, playing), _of_users(whole, ~playing) if alone else None


def _of_users(log: Interactions, chosen: Bools) -> Interactions:
    """Return the log of some users, with the items numbered as before: also those that only others had."""
    rows = chosen[log.rows()]
    offsets = np.zeros(int(chosen.sum()) + 1, np.int64)
    np.cumsum(log.lengths[chosen], out=offsets[1:])
    times = None if log.timestamps is None else log.timestamps[rows]
    return Interactions(log.items[rows], offsets, times, log.user_tokens[chosen], log.item_tokens, log.source)
