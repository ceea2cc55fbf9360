"""Model selection: full ranking of each user's validation item, seen items masked."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, cast

import numpy as np
import torch
from torch import Tensor, nn

from chordsim import seeds
from chordsim.arrays import Ints
from chordsim.data.fusion import fused, places_of
from chordsim.data.split import TrainLogs
from chordsim.nets.recommender import Ranking
from server.training.sampler import WindowLists

#: Orders of the cloud's list: by the model's scores, and by these and the cloud's order together.
ORDERS = ("listed", "fused")
ROWS = 256
#: Scores that are held at a time.
SCORES = 1 << 24


class ReadsLists(Protocol):
    """A model that reads lists beside histories."""

    def last_states(self, items: Tensor, listed: Tensor) -> Tensor:
        """Return the state [B, d] that ranks the next item, of histories [B, L] and lists [B, N]."""
        ...


@dataclass(frozen=True)
class Validation:
    """Histories, targets and seen items of the users that choose the checkpoint."""

    history: Tensor
    targets: Tensor
    seen_rows: Tensor
    seen_items: Tensor
    chosen: Ints
    lists: WindowLists | None = None

    @classmethod
    def of(cls, logs: TrainLogs, length: int, users: int, seed: int, lists: WindowLists | None = None) -> Validation:
        """Take at most ``users`` users, drawn from the seed, with lists where the model reads them."""
        chosen = np.arange(len(logs.offsets) - 1)
        if chosen.size > users:
            chosen = np.sort(seeds.generator(seed, "train.validation").choice(chosen, users, replace=False))
        start, stop = logs.offsets[chosen], logs.offsets[chosen + 1]
        place = stop[:, None] - np.arange(length, 0, -1)
        real = place >= start[:, None]
        history = np.where(real, logs.items[np.maximum(place, 0)], 0).astype(np.int64)
        rows = np.repeat(np.arange(chosen.size), stop - start)
        at = np.arange(rows.size) - np.repeat(np.cumsum(stop - start) - (stop - start), stop - start)
        items = logs.items[np.repeat(start, stop - start) + at].astype(np.int64)
        targets = logs.validation_targets[chosen].astype(np.int64)
        told, asked, row, seen = (torch.from_numpy(a) for a in (history, targets, rows, items))
        return cls(told, asked, row, seen, chosen, lists)

    @cached_property
    def listed(self) -> Tensor | None:
        """What the cloud lists for the users [V, N]; None where nobody reads it."""
        return None if self.lists is None else torch.from_numpy(self.lists.now(self.chosen))

    def ndcg_10(self, model: Ranking) -> float:
        """Return mean NDCG@10 with item embeddings as phones hold them."""
        assert isinstance(model, nn.Module)
        model.eval()
        total = 0.0
        with torch.no_grad():
            shipped = model.item_as_shipped()
            rows = min(ROWS, max(SCORES // len(shipped), 1))
            for at in range(0, self.targets.numel(), rows):
                stop = min(at + rows, self.targets.numel())
                scores = self._states(model, slice(at, stop)) @ shipped.T
                inside = (self.seen_rows >= at) & (self.seen_rows < stop)
                wanted = scores.gather(1, self.targets[at:stop, None])
                scores[self.seen_rows[inside] - at, self.seen_items[inside]] = -torch.inf
                scores[:, 0] = -torch.inf
                repeated = (scores.gather(1, self.targets[at:stop, None]) == -torch.inf).squeeze(1)
                above = (scores > wanted).sum(1) + 0.5 * ((scores == wanted).sum(1) - 1).clamp_min(0)
                # A score that is not a number stands above nothing and below nothing: a miss, not a first place.
                repeated |= ~torch.isfinite(wanted).squeeze(1)
                gain = 1.0 / torch.log2(above.double() + 2.0)
                total += float(torch.where((above < 10) & ~repeated, gain, torch.zeros_like(gain)).sum())
        return total / max(self.targets.numel(), 1)

    def orders(self, model: Ranking) -> dict[str, float]:
        """Return mean NDCG@10 of `ORDERS` where the cloud's list alone is ranked, as phones will; a target that is not listed is a miss."""
        assert isinstance(model, nn.Module) and self.listed is not None
        model.eval()
        totals = dict.fromkeys(ORDERS, 0.0)
        with torch.no_grad():
            shipped = model.item_as_shipped()
            for at in range(0, self.targets.numel(), ROWS):
                rows = slice(at, at + ROWS)
                listed, states = self.listed[rows], self._states(model, rows)
                scores = (shipped[listed] @ states[:, :, None]).squeeze(2).numpy()
                places, numbers = places_of(scores, listed.numpy())
                for name, order in zip(ORDERS, (np.argsort(places, 1), fused(listed.numpy(), places)), strict=True):
                    found = np.take_along_axis(listed.numpy(), order[:, :10], 1) == self.targets[rows, None].numpy()
                    totals[name] += float((found[numbers] / np.log2(np.arange(found.shape[1]) + 2)).sum())
        return {name: total / max(self.targets.numel(), 1) for name, total in totals.items()}

    def _states(self, model: Ranking, rows: slice) -> Tensor:
        if self.listed is None:
            return model.last_states(self.history[rows])
        return cast(ReadsLists, model).last_states(self.history[rows], self.listed[rows])
