"""Device halves of `popularity` and `markov`: look counts up, rank."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from chordsim.arrays import Columns, Ints
from chordsim.methods import History, Leg, PhoneBatch, Turn
from chordsim.methods.counts.spec import counts_cost, counts_tables
from chordsim.nets import blobs
from chordsim.quant.budget import refusals
from chordsim.ragged import Ragged
from chordsim.wire.errors import BadPayload
from clients.half import Device


@dataclass(frozen=True)
class LookedUp:
    """Scores of a half that looks them up."""

    half: PopularityDevice
    model: dict[str, Tensor]
    history: History

    def of(self, items: Ints) -> npt.NDArray[np.float32]:
        """Return the scores of item ids [D, n]."""
        return self.half.scores(self.model, self.history, torch.from_numpy(items.copy())).numpy()


class PopularityDevice(Device):
    """The same order for everybody."""

    def load(self, blobs_by_label: Mapping[str, bytes]) -> dict[str, Tensor]:
        """Decode counts.

        Raises:
            BadPayload: Not these counts.
        """
        tables = blobs.load(blobs_by_label["counts"], counts_tables(self.context))
        ids = tables.get("successors", torch.zeros(1))
        if bool((ids < 0).any()) or bool((ids > self.context.n_items).any()):
            raise BadPayload(f"successors are not ids up to {self.context.n_items}")
        return tables

    def scores(self, model: dict[str, Tensor], history: History, items: Tensor) -> Tensor:
        """Return scores of item ids [D, n]."""
        return model["counts"][items]

    def act(self, model: Any, state: Columns, leg: Leg, who: PhoneBatch, history: History, inbox: Ragged) -> Turn:
        """Rank all items."""
        rows = len(who)
        cost = counts_cost(self.context, rows)
        refusal = refusals(cost.peak_memory_bytes, cost.macs, who.budgets)
        looked_up = LookedUp(self, model, history)
        if self.context.backbone.items == "cached":
            return Turn(Ragged.empty(rows), refusal, cost, np.full(rows, np.nan), looked_up)
        every = np.broadcast_to(np.arange(self.context.n_items + 1), (rows, self.context.n_items + 1))
        return Turn(Ragged.empty(rows), refusal, cost, np.full(rows, np.nan), looked_up.of(every))


class MarkovDevice(PopularityDevice):
    """What follows the last item; popularity decides among equals."""

    def scores(self, model: dict[str, Tensor], history: History, items: Tensor) -> Tensor:
        """Return times plus popularity as a fraction below one."""
        scores = super().scores(model, history, items) / (model["counts"].max() + 1)
        last = torch.from_numpy(history.items[:, -1])
        next_items, times = model["successors"][last].long(), model["times"][last]
        # Ids of successors are distinct, so each item finds itself once or not.
        order = torch.argsort(next_items, dim=1, stable=True)
        ordered, times = next_items.gather(1, order).contiguous(), times.gather(1, order)
        place = torch.searchsorted(ordered, items.contiguous()).clamp_max(ordered.shape[1] - 1)
        return scores + torch.where(ordered.gather(1, place) == items, times.gather(1, place), torch.zeros(()))
