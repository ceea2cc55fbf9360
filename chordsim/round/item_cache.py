"""The phone's small cache of item rows: what a session needs, what of it is missing, what is thrown out.

The papers give the phone a local cache of item embeddings and leave the catalogue in the cloud (CHORD, figure 2a; Forward-OFA, figure 3);
how rows are asked for and thrown out is inference. A phone holds rows of items that it has met: of its history and of lists that it
was sent. In each session the cloud names its candidates; the phone asks for the rows that it lacks, those of consumed items included;
the least recently used rows make room. All of it is a function of what was needed before, so a column of ids, two bytes a held
row and four in a large catalogue, is all that the simulator remembers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from chordsim.among import among, pairs_of
from chordsim.arrays import Bools, Ints

#: Ids that phones hold [D, R], the most recently used first, 0 where nothing is held.
Held = npt.NDArray[np.uint16 | np.int32]


def held_dtype(n_items: int) -> type[np.uint16 | np.int32]:
    """Return the type of a column of held ids: the smallest that has them all."""
    return np.uint16 if n_items <= np.iinfo(np.uint16).max else np.int32


@dataclass(frozen=True)
class Session:
    """What D phones ask for in one session.

    Attributes:
        lacks: Which of the listed items a phone has no row of, [D, N].
        consumed: Items of the history that it has no row of and that are not listed, the most recent first, [D, W]; 0 pads at the end.
        held: What it holds once the rows have come, [D, R].
    """

    lacks: Bools
    consumed: Ints
    held: Held

    @property
    def asked(self) -> Ints:
        """Number of rows that each phone asks for, [D]."""
        return np.asarray(self.lacks.sum(1) + (self.consumed > 0).sum(1), np.int64)


def session(held: Held, history: Ints, listed: Ints) -> Session:
    """Return what phones ask for and hold afterwards.

    Args:
        held: Ids held before, the most recently used first, [D, R]; distinct, 0 where nothing is held.
        history: The window that the phone reads, the most recent item last, [D, W]; 0 pads on the left, items may repeat.
        listed: The cloud's candidates, best first, [D, N]; distinct, 0 pads at the end.

    Raises:
        ValueError: The cache cannot hold a window and a list at once.
    """
    _check(held, history, listed)
    room, window, count = held.shape[1], history.shape[1], listed.shape[1]
    recent = _first_of_each(history[:, ::-1])
    wanted = np.concatenate([recent, listed, held], 1).astype(np.int64)
    # Window before list before what was held: the order of use, and of who stays.
    once = _first_of_each(wanted)
    has = _among(wanted[:, : window + count], held)
    lacks = (listed > 0) & ~has[:, window:]
    unlisted = (recent > 0) & ~_among(recent, listed)
    consumed = _packed(np.where(unlisted & ~has[:, :window], recent, 0))
    return Session(lacks, consumed, _packed(once)[:, :room].astype(held.dtype))


def compiled(held: Held, history: Ints, listed: Ints) -> Session:
    """Return what `session` does, id for id, from a compiled loop."""
    _check(held, history, listed)
    from chordsim.kernels.native.caching import session_all

    most = max(int(part.max(initial=0)) for part in (held, history, listed))
    told = Session(np.zeros(listed.shape, np.bool_), np.zeros(history.shape, np.int64), np.zeros(held.shape, held.dtype))
    given = (np.ascontiguousarray(held), np.ascontiguousarray(history, np.int64), np.ascontiguousarray(listed, np.int64))
    session_all(*given, np.zeros(most + 1, np.int64), told.lacks, told.consumed, told.held)
    return told


def _check(held: Held, history: Ints, listed: Ints) -> None:
    room, window, count = held.shape[1], history.shape[1], listed.shape[1]
    if room < window + count:
        raise ValueError(f"a cache of {room} rows holds no window of {window} items and list of {count} at once")


def _first_of_each(ids: Ints) -> Ints:
    """Return rows [D, n] in which every id but the first of its kind is 0."""
    order = np.argsort(ids, axis=1, kind="stable")
    ranked = np.take_along_axis(ids, order, 1)
    again = np.zeros(ids.shape, np.bool_)
    again[:, 1:] = ranked[:, 1:] == ranked[:, :-1]
    repeated = np.empty(ids.shape, np.bool_)
    np.put_along_axis(repeated, order, again, 1)
    return np.where(repeated, 0, ids)


def _among(ids: Ints, others: Ints | Held) -> Bools:
    """Return which ids [D, n] stand in the same row of ``others`` [D, m]; 0 never does."""
    most = max(int(ids.max(initial=0)), int(others.max(initial=0)))
    return np.asarray(among(ids, pairs_of(others.astype(np.int64)), most) & (ids > 0))


def _packed(ids: Ints) -> Ints:
    """Return rows [D, n] with their ids in the same order at the front and zeros behind."""
    order = np.argsort(ids == 0, axis=1, kind="stable")
    return np.take_along_axis(ids, order, 1)
