"""Device halves of `popularity` and `markov`: look counts up, rank."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from chordsim.methods import Batch, Columns, Cost, History, Leg, Turn
from chordsim.nets import blobs
from chordsim.quant.budget import refusals
from chordsim.ragged import Ragged
from chordsim.wire.errors import BadPayload
from clients.methods.base import Device, same_for_all


class PopularityDevice(Device):
    """The same order for everybody."""

    def shapes_of_blob(self) -> dict[str, tuple[int, ...]]:
        """Return the tensors that the bootstrap must hold."""
        return {"counts": (self.context.n_items + 1,)}

    def load(self, blobs_by_label: Mapping[str, bytes]) -> dict[str, Tensor]:
        """Decode counts.

        Raises:
            BadPayload: Not these counts.
        """
        tables = blobs.load(blobs_by_label["counts"], self.shapes_of_blob())
        ids = tables.get("successors", torch.zeros(1))
        if bool((ids < 0).any()) or bool((ids > self.context.n_items).any()):
            raise BadPayload(f"successors are not ids up to {self.context.n_items}")
        return tables

    def scores(self, model: dict[str, Tensor], history: History) -> Tensor:
        """Return scores of all items [D, n_items + 1]."""
        return model["counts"].expand(history.items.shape[0], -1)

    def act(self, model: Any, state: Columns, leg: Leg, who: Batch, history: History, inbox: Ragged) -> Turn:
        """Rank all items."""
        assert who.budgets is not None
        rows = len(who)
        cost = self.cost(rows)
        refusal = refusals(cost.peak_memory_bytes, cost.macs, who.budgets)
        scores = self.scores(model, history).contiguous().numpy()
        return Turn(Ragged.empty(rows), refusal, cost, np.full(rows, np.nan), scores)

    def cost(self, rows: int) -> Cost:
        """Return the table and one row of scores; a lookup multiplies nothing."""
        stored = 4 * sum(int(np.prod(shape)) for shape in self.shapes_of_blob().values())
        return same_for_all(rows, macs=0, bitops=0, peak_memory_bytes=stored + 4 * (self.context.n_items + 1), model_bytes=stored)


class MarkovDevice(PopularityDevice):
    """What follows the last item; popularity decides among equals."""

    def shapes_of_blob(self) -> dict[str, tuple[int, ...]]:
        """Return the tensors that the bootstrap must hold."""
        n, kept = self.context.n_items + 1, min(int(self.context.settings["successors"]), self.context.n_items)
        return {"counts": (n,), "successors": (n, kept), "times": (n, kept)}

    def scores(self, model: dict[str, Tensor], history: History) -> Tensor:
        """Return times plus popularity as a fraction below one."""
        popular = super().scores(model, history)
        last = torch.from_numpy(history.items[:, -1])
        scores = popular / (popular.max() + 1)
        return scores.scatter_add(1, model["successors"][last].long(), model["times"][last])
