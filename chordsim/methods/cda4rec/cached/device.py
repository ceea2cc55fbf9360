"""Device half of `cda4rec` where the catalogue stays in the cloud: send the history, join the cloud's order with its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from chordsim.arrays import Columns
from chordsim.data.fusion import fused, places_of
from chordsim.methods import INVALID, History, Leg, PhoneBatch, Turn
from chordsim.methods.cda4rec.cached import net
from chordsim.methods.cda4rec.spec import routed_cost
from chordsim.nets import blobs
from chordsim.quant.budget import refusals
from chordsim.ragged import Ragged
from chordsim.wire.ids import pack_ids
from clients.half import Device, Products, item_table, quiet


@dataclass(frozen=True)
class Model:
    """The rows that phones asked for, and the ranker that reads them."""

    item: Tensor
    ranker: net.RowRanker


class Cda4RecCachedDevice(Device):
    """A small ranker over the rows at hand, for the users whom the planner sends its way."""

    def load(self, blobs_by_label: Mapping[str, bytes]) -> Model:
        """Decode rows and ranker.

        Raises:
            BadPayload: A blob is not what this backbone needs.
        """
        ranker = net.RowRanker(self.context.backbone.dim, int(self.context.settings["width"]))
        return Model(item_table(blobs_by_label, self.shapes), blobs.filled(ranker, blobs_by_label["ranker"]))

    def act(self, model: Any, state: Columns, leg: Leg, who: PhoneBatch, history: History, inbox: Ragged) -> Turn:
        """Say what was consumed; rank by plan."""
        rows = len(who)
        if leg.kind == "profile":
            return quiet(rows, Ragged.of_matrix(pack_ids(history.items, self.context.n_items), who.active))
        if leg.kind != "prescription":
            return quiet(rows)
        assert who.listed is not None
        phone, ordered, sound = net.unpack_order(inbox, who.listed)
        states = model.ranker.read(torch.from_numpy(history.items), model.item, last=1)[:, 0]
        places, numbers = places_of(Products(states, model.item, self.kernels).of(ordered), ordered)
        ranking = np.where(phone[:, None], np.take_along_axis(ordered, fused(ordered, places), 1), ordered)
        cost = routed_cost(self.context, phone)
        refusal = np.where(sound & (numbers | ~phone), refusals(cost.peak_memory_bytes, cost.macs, who.budgets), INVALID).astype(np.uint8)
        return Turn(Ragged.empty(rows), refusal, cost, np.where(phone, 32.0, np.nan), ranking=ranking)
