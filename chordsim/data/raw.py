"""A log as read from a file, before ids: token codes in file order, and the limits of single values."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from chordsim import seeds
from chordsim.arrays import Bools, Floats, Ints
from chordsim.data.interactions import Interactions, SourceInfo, Tokens
from chordsim.data.ordering import by_user_and_time
from chordsim.errors import DataError

LONGEST_TOKEN = 256
LARGEST_ID = 2**63 - 1
LARGEST_RATING = 1e6
#: Whole numbers up to here are exact in float64; microseconds since 1970 fit until the year 2255.
TIMESTAMP_END = 2.0**53

_WHOLE_NUMBER = r"^-?[0-9]+$"
_WIDE_NUMBER = re.compile(r"-?0*[1-9][0-9]{18,}", re.ASCII)

Codes = npt.NDArray[np.signedinteger[Any]]


@dataclass(frozen=True)
class RawLog:
    """Columns in file order.

    Attributes:
        users: Index into ``user_tokens``, shape [N].
        user_tokens: Distinct users, in any order.
        items: Index into ``item_tokens``, shape [N].
        item_tokens: Distinct items, in any order.
        ratings: Shape [N], NaN where there is none; or None.
        timestamps: Shape [N], or None where the position in the file is the order.
    """

    users: Codes
    user_tokens: Tokens
    items: Codes
    item_tokens: Tokens
    ratings: Floats | None
    timestamps: Floats | Ints | None

    def to_interactions(
        self, source: SourceInfo, min_rating: float | None = None, *, drop_duplicates: bool = False, ties_seed: int | None = None
    ) -> Interactions:
        """Sort by (user, time, position in file) and number users and items by their sorted tokens.

        Tokens that are all whole numbers sort by value, others by code point. Fractions of time stamps
        count in the order and are then cut off.

        Args:
            source: Where the log came from.
            min_rating: Drop what is rated lower, or not at all.
            drop_duplicates: Keep one of interactions that are equal in all columns; without time stamps, of those that also stand next
                to one another.
            ties_seed: Draw the order of a user's equal time stamps by this seed, instead of keeping the file's.

        Raises:
            DataError: ``min_rating`` without ratings, drawn ties without time stamps, or nothing is left.
        """
        log = self._rated(source, min_rating)
        users, user_tokens = _ranked(log.users, log.user_tokens)
        items, item_tokens = _ranked(log.items, log.item_tokens)
        order = self._order(source, users, log.timestamps, ties_seed)
        counts = np.bincount(users, minlength=user_tokens.size)
        ratings = log.ratings
        items, times = items.take(order), None if log.timestamps is None else log.timestamps.take(order)
        users = np.repeat(np.arange(user_tokens.size, dtype=np.int32), counts)
        again = _repeats(users, items, times, ratings, order)
        source = replace(source, rows_read=self.users.size, duplicates_share=float(again.mean()))
        if drop_duplicates and again.any():
            counts -= np.bincount(users[again], minlength=user_tokens.size)
            items, times = items[~again], None if times is None else times[~again]
            source = source.noted(f"{int(again.sum()):,} exact duplicates dropped")
        offsets = np.zeros(user_tokens.size + 1, np.int64)
        np.cumsum(counts, out=offsets[1:])
        return Interactions(
            items=(items + 1).astype(np.int32, copy=False),
            offsets=offsets,
            timestamps=_whole(times),
            user_tokens=user_tokens,
            item_tokens=np.concatenate([np.array([""]), item_tokens]),
            source=replace(source, rows_kept=items.size),
        )

    def _rated(self, source: SourceInfo, min_rating: float | None) -> RawLog:
        if min_rating is None:
            return self
        if self.ratings is None:
            unread = f"; not read: {', '.join(source.columns_unread)} (data.columns.rating)" if source.columns_unread else ""
            raise DataError(f"{source.name}: data.min_rating is set, but there are no ratings in it{unread}")
        keep = self.ratings >= min_rating
        if not keep.any():
            raise DataError(f"{source.name}: no interaction has a rating of {min_rating:g} or more")
        times = None if self.timestamps is None else self.timestamps[keep]
        return replace(self, users=self.users[keep], items=self.items[keep], ratings=self.ratings[keep], timestamps=times)

    @staticmethod
    def _order(source: SourceInfo, users: Codes, times: Floats | Ints | None, ties_seed: int | None) -> Ints:
        if ties_seed is None:
            return by_user_and_time(users, times)
        if times is None:
            raise DataError(f'{source.name}: data.ties = "seeded" needs time stamps; without them the order of lines is the order')
        drawn = seeds.generator(ties_seed, "data.ties").permutation(users.size)
        return drawn[by_user_and_time(users[drawn], times[drawn])]


def _whole(times: Floats | Ints | None) -> Ints | None:
    if times is None or times.dtype == np.int64:
        return cast("Ints | None", times)
    return np.floor(times).astype(np.int64)


def token_fault(token: str) -> str | None:
    """Return what is wrong with a user or item id, or None."""
    if not token:
        return "is empty"
    if "\0" in token:
        return "holds a NUL character, which no text has"
    if len(token) > LONGEST_TOKEN:
        return f"is longer than {LONGEST_TOKEN} characters"
    if _WIDE_NUMBER.fullmatch(token) and abs(int(token)) > LARGEST_ID:
        return f"{token[:40]} does not fit in 64 bits"
    return None


def _repeats(users: Codes, items: Codes, times: Floats | Ints | None, ratings: Floats | None, order: Ints) -> Bools:
    """Return which rows, sorted by user and time, equal an earlier one in all columns; without times, the one before.

    Ratings [N] stand as they stood in the file; ``order`` sorts them too.
    """
    out = np.zeros(users.size, np.bool_)
    same = users[1:] == users[:-1]
    if times is None:
        rows = np.flatnonzero(same & (items[1:] == items[:-1]))
        rows = np.unique(np.concatenate([rows, rows + 1]))
        group = users[rows]
    else:
        # Only rows in ties can be equal; those are sorted further, each tie in its place.
        same &= times[1:] == times[:-1]
        first = np.flatnonzero(same)
        rows = np.unique(np.concatenate([first, first + 1]))
        group = np.searchsorted(np.flatnonzero(~same), rows, side="left")
    rated = np.zeros(rows.size) if ratings is None else ratings[order[rows]]
    if times is not None:
        within = np.lexsort((rated, items[rows], group))
        rows, group, rated = rows[within], group[within], rated[within]
    equal = (group[1:] == group[:-1]) & (items[rows[1:]] == items[rows[:-1]])
    equal &= (rated[1:] == rated[:-1]) | (np.isnan(rated[1:]) & np.isnan(rated[:-1]))
    if times is None:
        equal &= rows[1:] == rows[:-1] + 1
    out[rows[1:][equal]] = True
    return out


def _ranked(codes: Codes, tokens: Tokens) -> tuple[Codes, Tokens]:
    """Return codes and tokens renumbered by sorted token, unused tokens dropped."""
    used = np.zeros(tokens.size, np.bool_)
    used[codes] = True
    candidates = np.flatnonzero(used)
    order = candidates[sorted_tokens(tokens[candidates])]
    if order.size == tokens.size and bool(np.all(order == np.arange(order.size))):
        return codes, tokens
    rank = np.zeros(tokens.size, np.int32)
    rank[order] = np.arange(order.size, dtype=np.int32)
    return rank[codes], tokens[order]


def sorted_tokens(tokens: Tokens) -> Ints:
    """Return the order of distinct tokens: by value where all are whole numbers, else by code point."""
    whole = pc.match_substring_regex(pa.array(tokens, pa.string()), _WHOLE_NUMBER)
    if tokens.size and pc.all(whole).as_py():
        return np.lexsort((tokens, tokens.astype(np.int64)))
    return np.argsort(tokens, kind="stable")
