"""Which items of a row stand among others of that row: the mask of every protocol that ranks lists."""

from __future__ import annotations

import threading

import numpy as np

from chordsim.arrays import Bools, Ints

#: Bytes of the marks that a thread keeps, whatever the catalogue's size.
_MARKS = 1 << 24
_kept = threading.local()


def among(items: Ints, pairs: tuple[Ints, Ints], n_items: int) -> Bools:
    """Return which items [D, N] are among the others of their row, [D, N].

    Marks in a table of rows and items, a few rows at a time. For 256 lists of 100 items numpy 2.4's own `isin` takes 18 times as long in a
    catalogue of 3,416 items, and 8 times in one of a million.

    Args:
        items: Item ids, 0 to n_items.
        pairs: (row, item) of the others, repeats allowed.
        n_items: Size of the catalogue.
    """
    rows, others = pairs
    if rows.size and (rows[1:] < rows[:-1]).any():
        order = np.argsort(rows, kind="stable")
        rows, others = rows[order], others[order]
    width, out = n_items + 1, np.empty(items.shape, np.bool_)
    step = max(min(_MARKS // width, len(items)), 1)
    marks, _kept.marks = getattr(_kept, "marks", None), None
    if marks is None or marks.size < step * width:
        marks = np.zeros(step * width, np.bool_)
    edges = np.searchsorted(rows, np.arange(0, len(items) + step, step))
    for at, start, stop in zip(range(0, len(items), step), edges[:-1].tolist(), edges[1:].tolist(), strict=False):
        some = items[at : at + step]
        place = (rows[start:stop] - at) * width + others[start:stop]
        marks[place] = True
        out[at : at + step] = marks[some + np.arange(len(some))[:, None] * width]
        marks[place] = False
    # Only marks that are all taken back are marks to begin with.
    _kept.marks = marks
    return out


def pairs_of(items: Ints) -> tuple[Ints, Ints]:
    """Return (row, item) of all items [D, N], zeros left out."""
    rows, columns = np.nonzero(items)
    return rows, np.asarray(items[rows, columns], np.int64)
