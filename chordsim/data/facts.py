"""What decides results and is not seen in them: tied times, targets that a user had before, exact duplicates, items seen once.

Every one is told before a run, on its data line and in its manifest, with the key that changes it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from chordsim.arrays import Bools
from chordsim.data.interactions import Interactions
from chordsim.data.ordering import by_user_and_time
from chordsim.data.split import Split
from chordsim.errors import ScenarioError

#: Neighbours in ties that must stand in order of their item ids before it is called one; of random ones every second does.
_IN_ORDER, _LEAST_NEIGHBOURS = 0.9, 20
#: Catalogues up to this size fit into a list, so that a run of one is a test of the masking and of nothing else; it ends in zeros.
_SMALL_CATALOGUE = 10
#: Shares below this are in the manifest and in `inspect`, and not on the data line.
_WORTH_A_NOTE = 0.01


def told(log: Interactions, rounds: int, file_users: int, *, ties_drawn: bool = False) -> Interactions:
    """Return the log with what decides results written into its source.

    Args:
        log: All that is played, after all filters.
        rounds: R: each user's last R items are targets.
        file_users: Users before the filters.
        ties_drawn: Whether the order within equal time stamps was drawn by the seed.
    """
    source = replace(
        log.source,
        tied_times_share=tied_share(log),
        repeated_targets_share=repeated_share(log, rounds),
        items_seen_once=int(np.count_nonzero(np.bincount(log.items, minlength=log.n_items + 1)[1:] == 1)),
        users_dropped=file_users - log.n_users,
    )
    tied, again, follows = source.tied_times_share or 0.0, source.duplicates_share or 0.0, follows_items(log)
    shared = f"{tied:.1%} of the interactions share their time stamp with another of the same user"
    if ties_drawn:
        source = source.noted(f"{shared}; the seed drew their order")
    elif follows:
        learnt = f"{shared}, and stand in {follows} order of item ids, which methods can learn"
        source = source.noted(f'{learnt}; data.ties = "seeded" draws their order')
    elif tied >= _WORTH_A_NOTE:
        source = source.noted(f"{shared}, in the file's order")
    if again >= _WORTH_A_NOTE / 10 and not any("duplicates dropped" in note for note in source.notes):
        source = source.noted(f'{again:.1%} of the file are exact duplicates; data.duplicates = "drop" keeps one of each')
    return replace(log, source=source)


def masked(split: Split, mask_seen: bool) -> Split:
    """Return the split with a note on targets that masking takes out.

    Args:
        split: Of a log that was `told`.
        mask_seen: `protocol.mask_seen`: items that a user already had are not ranked, so a target among them is a miss.

    Raises:
        ScenarioError: All targets are such, in a catalogue beyond a handful of items, so that nothing could ever score.
    """
    source = split.log.source
    share = source.repeated_targets_share or 0.0
    if not mask_seen or share < _WORTH_A_NOTE:
        return split
    what = f"{share:.1%} of the targets stand in their user's history, and protocol.mask_seen counts them as misses"
    if share == 1.0 and split.log.n_items > _SMALL_CATALOGUE:
        raise ScenarioError(
            f"{source.name}: {what}: nothing could ever score; set protocol.mask_seen = false to rank what a user had before"
        )
    return replace(split, log=replace(split.log, source=source.noted(what)))


def tied_share(log: Interactions) -> float | None:
    """Return the share of interactions whose time stamp another one of the same user has too; None without time stamps."""
    same = _ties(log)
    if same is None:
        return None
    tied = np.zeros(log.items.size, np.bool_)
    tied[1:] |= same
    tied[:-1] |= same
    return float(tied.mean())


def follows_items(log: Interactions) -> str:
    """Return whether equal time stamps stand in "rising" or "falling" order of item ids; "" where they do not."""
    same = _ties(log)
    if same is None:
        return ""
    step = np.sign(np.diff(log.items)[same])
    up, down = int(np.count_nonzero(step > 0)), int(np.count_nonzero(step < 0))
    if up + down < _LEAST_NEIGHBOURS or max(up, down) < _IN_ORDER * (up + down):
        return ""
    return "rising" if up > down else "falling"


def repeated_share(log: Interactions, rounds: int) -> float:
    """Return the share of each user's last ``rounds`` items that the user had before."""
    users = log.rows()
    order = by_user_and_time(users, log.items.astype(np.int64))
    again = np.zeros(users.size, np.bool_)
    equal = (users[order[1:]] == users[order[:-1]]) & (log.items[order[1:]] == log.items[order[:-1]])
    again[order[1:][equal]] = True
    target: Bools = np.arange(users.size) >= np.maximum(
        np.repeat(log.offsets[1:] - rounds, log.lengths), np.repeat(log.offsets[:-1] + 1, log.lengths)
    )
    return float(again[target].mean()) if target.any() else 0.0


def _ties(log: Interactions) -> Bools | None:
    """Return which interactions have the time stamp of the next one of the same user, [N - 1]; None without time stamps."""
    if log.timestamps is None:
        return None
    same: Bools = np.diff(log.timestamps) == 0
    borders = log.offsets[1:-1]
    same[borders[(borders > 0) & (borders < log.items.size)] - 1] = False
    return same
