"""Device halves of `popularity` and `markov`: look counts up, rank."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from chordsim.arrays import Columns
from chordsim.methods import History, Leg, PhoneBatch, Turn
from chordsim.methods.counts.spec import counts_cost, counts_tables
from chordsim.nets import blobs
from chordsim.quant.budget import refusals
from chordsim.ragged import Ragged
from chordsim.wire.errors import BadPayload
from clients.half import Device


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

    def scores(self, model: dict[str, Tensor], history: History) -> Tensor:
        """Return scores of all items [D, n_items + 1]."""
        return model["counts"].expand(history.items.shape[0], -1)

    def act(self, model: Any, state: Columns, leg: Leg, who: PhoneBatch, history: History, inbox: Ragged) -> Turn:
        """Rank all items."""
        rows = len(who)
        cost = counts_cost(self.context, rows)
        refusal = refusals(cost.peak_memory_bytes, cost.macs, who.budgets)
        scores = self.scores(model, history).contiguous().numpy()
        return Turn(Ragged.empty(rows), refusal, cost, np.full(rows, np.nan), scores)


class MarkovDevice(PopularityDevice):
    """What follows the last item; popularity decides among equals."""

    def scores(self, model: dict[str, Tensor], history: History) -> Tensor:
        """Return times plus popularity as a fraction below one."""
        popular = super().scores(model, history)
        last = torch.from_numpy(history.items[:, -1])
        scores = popular / (popular.max() + 1)
        return scores.scatter_add(1, model["successors"][last].long(), model["times"][last])
