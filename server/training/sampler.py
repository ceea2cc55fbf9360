"""Training windows: where a user's sequence is cut, what a prescription may be made from, and which targets the loss uses."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch

from chordsim.arrays import Ints
from chordsim.data.split import TrainLogs
from chordsim.nets.windows import Windows

#: Items of a user to be trained on: one to read, and the next to learn.
LEAST = 2


class WindowLists(Protocol):
    """What the cloud lists for users as they were in training."""

    def earlier(self, rows: Ints, known: Ints) -> Ints:
        """Return lists [D, N] for rows of the logs when they had done ``known`` [D] items, by who has not seen what they did next."""
        ...

    def now(self, rows: Ints) -> Ints:
        """Return lists [D, N] for rows of the logs at their end, as they are served."""
        ...


class Sampler:
    """Draws windows: a user uniformly, then the window's last target over the sequence, uniformly or leaning to its end."""

    def __init__(
        self,
        logs: TrainLogs,
        length: int,
        horizon: int,
        generator: np.random.Generator,
        latest_of: int = 1,
        reach: int = 0,
        lists: WindowLists | None = None,
    ) -> None:
        """Prepare to draw.

        Args:
            logs: What the cloud may train on.
            length: Window length L.
            horizon: How many of the last targets the loss uses; ``length`` for all.
            generator: Where draws come from.
            latest_of: The last target is the latest of so many uniform draws; 1: uniform. Published trainings of SASRec
                take each user's last window alone, which is where ever larger numbers lead.
            reach: Items before the first target that a prescription may be made from; 0: ``length``.
            lists: Who lists for windows; None: nobody reads lists.

        Raises:
            ValueError: No user has two items.
        """
        lengths = np.diff(logs.offsets)
        self._items, self._length, self._horizon, self._random = logs.items, length, horizon, generator
        self._latest_of, self._reach, self._lists = latest_of, reach or length, lists
        self._rows = np.flatnonzero(lengths >= LEAST)
        self._starts = np.asarray(logs.offsets[:-1][lengths >= LEAST])
        self._lengths = np.asarray(lengths[lengths >= LEAST])
        if self._starts.size == 0:
            raise ValueError("no user has two items to train on")

    def draw(self, batch: int) -> Windows:
        """Return the next batch."""
        user = self._random.integers(0, self._starts.size, batch)
        # The largest of n uniform numbers is distributed as the n-th root of one; a root may round to 1.
        drawn = self._random.random(batch) ** (1 / self._latest_of)
        last = np.minimum(1 + (drawn * (self._lengths[user] - 1)).astype(np.int64), self._lengths[user] - 1)
        start = self._starts[user]
        tokens = self._cut(start, last, self._length + 1)
        first = last - np.minimum(self._horizon, last) + 1
        place = last[:, None] - np.arange(self._length - 1, -1, -1)
        targets = np.where(place >= first[:, None], tokens[:, 1:], 0)
        history = self._cut(start, first - 1, self._reach)
        parts = [tokens[:, :-1].copy(), targets, history]
        if self._lists is not None:
            parts.append(self._lists.earlier(self._rows[user], first))
        return Windows(*(torch.from_numpy(part) for part in parts))

    def _cut(self, start: np.ndarray, end: np.ndarray, width: int) -> np.ndarray:
        """Return the ``width`` items up to and including place ``end`` of each sequence, zero before its start."""
        place = end[:, None] - np.arange(width - 1, -1, -1)
        real = place >= 0
        return np.where(real, self._items[start[:, None] + np.maximum(place, 0)], 0).astype(np.int64)
