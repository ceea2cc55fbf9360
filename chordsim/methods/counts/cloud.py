"""Cloud halves of `popularity` and `markov`: count, and ship the counts."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from chordsim.arrays import State
from chordsim.data.split import TrainLogs
from chordsim.methods import Blob
from chordsim.nets import blobs
from chordsim.progress import Progress
from server.half import Cloud


class PopularityCloud(Cloud):
    """How often each item occurs."""

    def recipe(self) -> dict[str, Any]:
        """Return what counts depend on: the logs, which the cache adds."""
        return {"trainer": type(self).__name__, "n_items": self.context.n_items, "settings": dict(self.context.settings)}

    def train(self, logs: TrainLogs, progress: Progress) -> State:
        """Count."""
        return {"counts": torch.from_numpy(logs.popularity.astype(np.float32))}

    def bootstrap(self, state: State) -> list[Blob]:
        """Return the counts."""
        return [Blob("counts", blobs.save(state))]


class MarkovCloud(PopularityCloud):
    """What follows each item, most often first."""

    def train(self, logs: TrainLogs, progress: Progress) -> State:
        """Count pairs of neighbours and keep the most frequent successors of each item; equal counts by id."""
        n, kept = self.context.n_items + 1, min(int(self.context.settings["successors"]), self.context.n_items)
        inside = np.ones(logs.items.size, np.bool_)
        inside[logs.offsets[:-1]] = False
        pairs = np.flatnonzero(inside)
        before, after = logs.items[pairs - 1], logs.items[pairs]
        keys, count = np.unique(before * n + after, return_counts=True)
        order = np.lexsort((keys % n, -count, keys // n))
        first, second, count = (keys // n)[order], (keys % n)[order], count[order]
        place = np.arange(first.size) - np.searchsorted(first, first)
        best = place < kept
        # Blobs hold floats; ids and counts below 2^24 are exact in them.
        items, counts = np.zeros((n, kept), np.float32), np.zeros((n, kept), np.float32)
        items[first[best], place[best]], counts[first[best], place[best]] = second[best], count[best]
        own = super().train(logs, progress)
        return {**own, "successors": torch.from_numpy(items), "times": torch.from_numpy(counts)}
