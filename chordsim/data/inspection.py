"""A look into a log: what was read as what, how much there is, and what will decide the results of a run."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from chordsim.config.model import DataConfig
from chordsim.data import facts
from chordsim.data.interactions import Interactions
from chordsim.data.remarks import unit_of
from chordsim.data.split import shortest

_PER_SECOND = {"seconds": 1, "milliseconds": 1000, "microseconds": 1_000_000}


def inspected(log: Interactions, config: DataConfig, rounds: int) -> list[tuple[str, str]]:
    """Return lines of a name and a text each.

    Args:
        log: As read, without filters.
        config: What was said about it.
        rounds: How many last items of each user a run holds out.
    """
    log = facts.told(log, rounds, log.n_users, ties_drawn=config.ties == "seeded")
    source = log.source
    low, middle, high = (int(q) for q in np.quantile(log.lengths, (0, 0.5, 1)))
    needed = max(config.min_user, shortest(rounds))
    short = int(np.count_nonzero(log.lengths < needed))
    repeats, tied, again = source.repeated_targets_share or 0.0, source.tied_times_share, source.duplicates_share or 0.0
    return [
        ("file", source.path),
        ("read", ", ".join(f"{role} from {_column(column)}" for role, column in source.columns_read.items())),
        ("not read", ", ".join(source.columns_unread) or "nothing"),
        ("interactions", f"{log.items.size:,}"),
        ("users", f"{log.n_users:,} (interactions each: {low:,} to {high:,}, median {middle:,})"),
        ("dropped", f"{short:,} users have fewer than {needed} interactions, which {rounds} rounds (or data.min_user) ask for"),
        ("items", f"{log.n_items:,}, of which {source.items_seen_once:,} are seen once"),
        ("time", _times(log)),
        ("tied times", "unknown" if tied is None else f"{tied:.1%} share their time stamp with another interaction of the same user"),
        (
            "repeats",
            f"{repeats:.1%} of the last {rounds} items of each user stand in their history: misses, where protocol.mask_seen is on",
        ),
        ("duplicates", f"{again:.1%} of the file are equal to an earlier line in all that is read"),
        ("sha256", source.sha256),
        *(("note", note) for note in source.notes),
    ]


def _column(column: str | int) -> str:
    return f"column {column}" if isinstance(column, int) else column


def _times(log: Interactions) -> str:
    if log.timestamps is None:
        return "none; the order of lines counts"
    unit = unit_of(log.timestamps)
    first, last = (_day(int(end) // _PER_SECOND[unit]) for end in (log.timestamps.min(), log.timestamps.max()))
    return f"{first} to {last}, in {unit}"


def _day(seconds: int) -> str:
    """Return the day of a time; the number itself where it can be no such thing."""
    try:
        return datetime.fromtimestamp(seconds, UTC).date().isoformat()
    except (ValueError, OverflowError, OSError):
        return str(seconds)
