"""The interaction log of a run: who did what, in which order, and where it came from."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from chordsim.arrays import Bools, Ints
from chordsim.errors import DataError

Items = npt.NDArray[np.int32]
Tokens = npt.NDArray[np.str_]


@dataclass(frozen=True)
class SourceInfo:
    """Where a log came from, for the terminal and the manifest.

    Attributes:
        name: Catalogue name, "synthetic", or the file's name.
        path: Path or address as given, or a name relative to the data folder or cache; never an absolute cache path.
        how: "CHORDSIM_DATA", "cache", "publisher", "recbole wheel", "file" or "synthetic".
        sha256: Of the uncompressed content (of the generated log, if synthetic).
        rows_read: Interactions in the file.
        rows_kept: Interactions after all filters.
        notes: What was dropped or assumed, one sentence each.
        columns_read: By role (user, item, rating, timestamp): the column's name, or its position from 0.
        columns_unread: The other columns.
        duplicates_share: Share of the file's interactions that equal an earlier one in every column that is read; without time stamps,
            the one before. Null where nothing was looked at.
        tied_times_share: Share of the kept interactions whose time stamp another one of the same user has too.
        repeated_targets_share: Share of the held-out targets that stand in their user's history; where seen items are masked they
            cannot score.
        items_seen_once: Items with one interaction among the kept.
        users_dropped: Users of the file who do not play.
    """

    name: str
    path: str
    how: str
    sha256: str
    rows_read: int
    rows_kept: int
    notes: tuple[str, ...] = ()
    columns_read: Mapping[str, str | int] = field(default_factory=dict)
    columns_unread: tuple[str, ...] = ()
    duplicates_share: float | None = None
    tied_times_share: float | None = None
    repeated_targets_share: float | None = None
    items_seen_once: int | None = None
    users_dropped: int | None = None

    def line(self) -> str:
        """Return one line for a person."""
        where = f" {self.path}" if self.path else ""
        notes = "".join(f"; {note}" for note in ([self.columns()] if self.columns_read else []) + list(self.notes))
        return f"{self.name} ({self.how}{where}): {self.rows_kept:,} of {self.rows_read:,} interactions{notes}"

    def columns(self) -> str:
        """Return what was read as what, and what was not read, as one line."""
        read = ", ".join(role if column == role else f"{role} = {column}" for role, column in self.columns_read.items())
        return f"read: {read}" + (f"; not read: {', '.join(self.columns_unread)}" if self.columns_unread else "")

    def noted(self, note: str) -> SourceInfo:
        """Return the same with one more note."""
        return replace(self, notes=(*self.notes, note))


@dataclass(frozen=True)
class Interactions:
    """All interactions, ordered by user, then time, then position in the file.

    Attributes:
        items: Item ids 1..n_items, int32, shape [N].
        offsets: User u's items are ``items[offsets[u]:offsets[u + 1]]``; int64, shape [U + 1].
        timestamps: Whole seconds (or the file's unit), int64, shape [N]; None where only the order is known.
        user_tokens: The file's name of each user, shape [U].
        item_tokens: The file's name of each item, shape [n_items + 1]; index 0 is "".
        source: Where it came from.
    """

    items: Items
    offsets: Ints
    timestamps: Ints | None
    user_tokens: Tokens
    item_tokens: Tokens
    source: SourceInfo

    def __post_init__(self) -> None:
        fits = (
            self.items.dtype == np.int32
            and self.offsets.dtype == np.int64
            and self.offsets.size == self.user_tokens.size + 1
            and self.offsets[0] == 0
            and self.offsets[-1] == self.items.size
            and bool(np.all(np.diff(self.offsets) >= 0))
            and (self.timestamps is None or self.timestamps.size == self.items.size)
            and (self.items.size == 0 or (int(self.items.min()) >= 1 and int(self.items.max()) <= self.n_items))
        )
        if not fits:
            raise ValueError("offsets, items and tokens of the log do not fit together")

    @property
    def n_users(self) -> int:
        """Number of users; user ids run from 0."""
        return self.user_tokens.size

    @property
    def n_items(self) -> int:
        """Size of the catalogue; item ids run from 1 to this."""
        return self.item_tokens.size - 1

    @property
    def lengths(self) -> Ints:
        """Interactions of each user, shape [U]."""
        return np.diff(self.offsets)

    def rows(self) -> Ints:
        """Return the user id of each interaction, shape [N]."""
        return np.repeat(np.arange(self.n_users), self.lengths)

    def digest(self) -> str:
        """Return the sha256 of items, offsets and time stamps: equal for equal logs from any source."""
        return digest_of(self.n_items, self.items, self.offsets, self.timestamps)

    def keep(self, rows: Bools) -> Interactions:
        """Return the log with the interactions where ``rows`` [N] is true.

        Users and items that are left without any leave too, and ids close up in the same order. Keeping
        everything returns the log as it is.

        Raises:
            DataError: Nothing is left.
        """
        if bool(rows.all()):
            return self
        if not bool(rows.any()):
            raise DataError(f"{self.source.name}: no interaction is left after the filters")
        items, users = self.items[rows], self.rows()[rows]
        of_user = np.bincount(users, minlength=self.n_users)
        used = np.bincount(items, minlength=self.n_items + 1) > 0
        new_id = np.cumsum(used).astype(np.int32)
        used[0] = True
        offsets = np.zeros(np.count_nonzero(of_user) + 1, np.int64)
        np.cumsum(of_user[of_user > 0], out=offsets[1:])
        return Interactions(
            items=new_id[items],
            offsets=offsets,
            timestamps=None if self.timestamps is None else self.timestamps[rows],
            user_tokens=self.user_tokens[of_user > 0],
            item_tokens=self.item_tokens[used],
            source=replace(self.source, rows_kept=items.size),
        )


def digest_of(*parts: int | npt.NDArray[np.generic] | None) -> str:
    """Return a sha256 over integers and integer arrays, each prefixed by its length, as little-endian int64."""
    total = hashlib.sha256()
    for part in parts:
        if part is None:
            total.update(b"\xff" * 8)
            continue
        flat = np.atleast_1d(np.asarray(part)).astype("<i8", copy=False)
        total.update(flat.size.to_bytes(8, "little"))
        total.update(np.ascontiguousarray(flat).data)
    return total.hexdigest()
