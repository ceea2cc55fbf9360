"""Lists of a model in training, each made once: at some places of every history, in blocks that are always the same.

A pass of a wide model over a long history for every window of every step would cost more than the training that asks for it. So a
user's lists are made after every n-th item, n as small as `MOST` allows for the whole of the logs, and a window has the last one that
was made before its first target: it is up to n - 1 items old there, as served ones grow old within a session. Blocks are cut by fold and
length of history alone, so that no last bit depends on which windows were drawn, or on whether a training was cut off.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from chordsim.arrays import Ints
from chordsim.data.split import TrainLogs

#: Lists [D, N] of histories [D, L] without what users had, as index pairs (row, item).
Maker = Callable[[Ints, tuple[Ints, Ints]], Ints]
#: Lists for the whole of the logs, beside one for each user.
MOST = 1 << 18
#: Lists of a block.
_ROWS = 64


class KeptLists:
    """What models that never saw a user list for it, made where it is first asked for."""

    def __init__(
        self, logs: TrainLogs, makers: list[Maker], fold: Ints, length: int, reads: int, *, repeat: bool, narrow: bool, most: int
    ) -> None:
        """Cut the blocks.

        Args:
            logs: Whose histories.
            makers: Who lists, by fold.
            fold: Of each row of the logs, [V].
            length: Of a list; no longer than the catalogue.
            reads: Items that a maker reads at most.
            repeat: Whether what a user had may be listed.
            narrow: Whether makers take histories as narrow as the longest of a block.
            most: Lists at most, beside one for each user.
        """
        lengths = np.diff(logs.offsets)
        self._logs, self._makers, self._fold, self._reads = logs, makers, fold, reads
        self._repeat, self._narrow = repeat, narrow
        self.every = max(-(-logs.items.size // most), 1)
        places = lengths // self.every + 1
        self._base = np.concatenate([np.zeros(1, np.int64), np.cumsum(places)])
        self._row = np.repeat(np.arange(len(logs)), places)
        nth = np.arange(self._row.size) - np.repeat(self._base[:-1], places)
        self._known = np.minimum(np.maximum(nth * self.every, 1), lengths[self._row])
        read, folds = np.minimum(self._known, reads), fold[self._row]
        self._order = np.lexsort((np.arange(read.size), read, folds))
        # A block is of one fold.
        sizes = np.bincount(folds, minlength=len(makers))
        within = np.arange(read.size) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        self._starts = np.append(np.flatnonzero(within % _ROWS == 0), read.size)
        self._block = np.empty(read.size, np.int64)
        self._block[self._order] = np.repeat(np.arange(self._starts.size - 1), np.diff(self._starts))
        self._lists = np.zeros((read.size, length), np.uint16 if logs.n_items < 1 << 16 else np.int32)
        self._made = np.zeros(self._starts.size - 1, np.bool_)

    def of(self, rows: Ints, known: Ints) -> Ints:
        """Return lists [D, N] for rows of the logs that had done ``known`` [D] items, at least one; none knows of a later one."""
        place = self._base[rows] + known // self.every
        for block in np.unique(self._block[place]).tolist():
            if not self._made[block]:
                self._make(block)
        return self._lists[place].astype(np.int64)

    def _make(self, block: int) -> None:
        places = self._order[self._starts[block] : self._starts[block + 1]]
        rows, known = self._row[places], self._known[places]
        width = min(int(known.max()), self._reads) if self._narrow else self._reads
        history, had = self._logs.earlier(rows, known, max(width, 1))
        nothing = np.zeros(0, np.int64)
        self._lists[places] = self._makers[self._fold[rows[0]]](history, (nothing, nothing) if self._repeat else had)
        self._made[block] = True
