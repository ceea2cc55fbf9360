"""A log as read from a file, before ids: token codes in file order, and the limits of single values."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from chordsim.arrays import Bools, Floats, Ints
from chordsim.data.interactions import Interactions, SourceInfo, Tokens
from chordsim.errors import DataError

LONGEST_TOKEN = 256
LARGEST_ID = 2**63 - 1
LARGEST_RATING = 1e6
#: Whole numbers up to here are exact in float64; microseconds since 1970 fit until the year 2255.
TIMESTAMP_END = 2.0**53

_WHOLE_NUMBER = r"^-?[0-9]+$"
_WIDE_NUMBER = re.compile(r"-?0*[1-9][0-9]{18,}", re.ASCII)


@dataclass(frozen=True)
class RawLog:
    """Columns in file order.

    Attributes:
        users: Index into ``user_tokens``, shape [N].
        user_tokens: Distinct users, in any order.
        items: Index into ``item_tokens``, shape [N].
        item_tokens: Distinct items, in any order.
        ratings: Shape [N], or None.
        timestamps: Shape [N], or None where the position in the file is the order.
    """

    users: Ints
    user_tokens: Tokens
    items: Ints
    item_tokens: Tokens
    ratings: Floats | None
    timestamps: Floats | None

    def to_interactions(self, source: SourceInfo, min_rating: float | None = None) -> Interactions:
        """Sort by (user, time, position in file) and number users and items by their sorted tokens.

        Tokens that are all whole numbers sort by value, others by code point. Fractions of time stamps
        count in the order and are then cut off.

        Raises:
            DataError: ``min_rating`` without ratings, or nothing is left.
        """
        keep = self._rated(source, min_rating)
        users, user_tokens = _ranked(self.users[keep], self.user_tokens)
        items, item_tokens = _ranked(self.items[keep], self.item_tokens)
        if not users.size:
            raise DataError(f"{source.name}: no interaction has a rating of {min_rating:g} or more")
        times = None if self.timestamps is None else self.timestamps[keep]
        # Both sorts are stable, so equal time stamps keep the order of the file.
        order = np.argsort(users, kind="stable") if times is None else np.lexsort((times, users))
        offsets = np.zeros(user_tokens.size + 1, np.int64)
        np.cumsum(np.bincount(users, minlength=user_tokens.size), out=offsets[1:])
        return Interactions(
            items=(items[order] + 1).astype(np.int32),
            offsets=offsets,
            timestamps=None if times is None else np.floor(times[order]).astype(np.int64),
            user_tokens=user_tokens,
            item_tokens=np.concatenate([np.array([""]), item_tokens]),
            source=replace(source, rows_read=self.users.size, rows_kept=users.size),
        )

    def _rated(self, source: SourceInfo, min_rating: float | None) -> Bools:
        if min_rating is None:
            return np.ones(self.users.size, np.bool_)
        if self.ratings is None:
            raise DataError(f"{source.name}: data.min_rating is set, but there are no ratings in it")
        return self.ratings >= min_rating


def token_fault(token: str) -> str | None:
    """Return what is wrong with a user or item id, or None."""
    if not token:
        return "is empty"
    if len(token) > LONGEST_TOKEN:
        return f"is longer than {LONGEST_TOKEN} characters"
    if _WIDE_NUMBER.fullmatch(token) and abs(int(token)) > LARGEST_ID:
        return f"{token[:40]} does not fit in 64 bits"
    return None


def _ranked(codes: Ints, tokens: Tokens) -> tuple[Ints, Tokens]:
    """Return codes and tokens renumbered by sorted token, unused tokens dropped."""
    used = np.bincount(codes, minlength=tokens.size) > 0
    candidates = np.flatnonzero(used)
    order = candidates[_sorted_tokens(tokens[candidates])]
    rank = np.zeros(tokens.size, np.int64)
    rank[order] = np.arange(order.size)
    return rank[codes], tokens[order]


def _sorted_tokens(tokens: Tokens) -> Ints:
    whole = pc.match_substring_regex(pa.array(tokens, pa.string()), _WHOLE_NUMBER)
    if tokens.size and pc.all(whole).as_py():
        return np.lexsort((tokens, tokens.astype(np.int64)))
    return np.argsort(tokens, kind="stable")
