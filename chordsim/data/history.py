"""What users did before the item that is to be predicted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from chordsim.arrays import Ints


@dataclass(frozen=True)
class History:
    """What each user did before the target, most recent last: item ids, 0 pads on the left.

    Attributes:
        items: Shape [D, L], int64; L is the backbone's window and what a method asks for beyond it.
        lengths: How many of the L positions are real, shape [D].
    """

    items: Ints
    lengths: Ints


@dataclass(frozen=True)
class Spans:
    """All that users did before the target, where it stands in a log, without a copy.

    Attributes:
        items: The log's item ids.
        starts: Where each user's begin, shape [D].
        ends: Where they end, shape [D].
    """

    items: npt.NDArray[np.integer[Any]]
    starts: Ints
    ends: Ints

    def pairs(self) -> tuple[Ints, Ints]:
        """Return (row, item) of all of them, repeats included; the items are a copy."""
        counts = self.ends - self.starts
        rows = np.repeat(np.arange(counts.size), counts)
        first = np.cumsum(counts) - counts
        return rows, self.items[np.arange(rows.size) + np.repeat(self.starts - first, counts)].astype(np.int64)

    def of(self, rows: Ints) -> Spans:
        """Return those of some users."""
        return Spans(self.items, self.starts[rows], self.ends[rows])
