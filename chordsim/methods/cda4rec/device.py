"""Device half of `cda4rec`: send the history; re-rank the candidates, or show the list that the cloud made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from chordsim.arrays import Columns
from chordsim.data.fusion import fused, places_of
from chordsim.methods import INVALID, Cost, History, Leg, PhoneBatch, Turn
from chordsim.methods.cda4rec import net as cda4rec
from chordsim.methods.cda4rec.spec import routed_cost
from chordsim.nets import blobs
from chordsim.quant.budget import refusals
from chordsim.ragged import Ragged
from chordsim.wire.ids import pack_ids, unpack_ids
from clients.half import Device, quiet


class Cda4RecDevice(Device):
    """A small ranker that runs for the users whom the planner sends its way."""

    def load(self, blobs_by_label: Mapping[str, bytes]) -> cda4rec.SmallRanker:
        """Decode the ranker.

        Raises:
            BadPayload: The blob is not this ranker.
        """
        ranker = cda4rec.SmallRanker(self.context.n_items, int(self.context.settings["width"]))
        return blobs.filled(ranker, blobs_by_label["ranker"])

    def act(self, model: Any, state: Columns, leg: Leg, who: PhoneBatch, history: History, inbox: Ragged) -> Turn:
        """Walk through history, candidates and plan."""
        rows, n_items = len(who), self.context.n_items
        listed = min(int(self.context.settings["list_length"]), n_items)
        if leg.kind == "profile":
            return quiet(rows, Ragged.of_matrix(pack_ids(history.items, n_items), who.active))
        if leg.kind == "candidates":
            # None come for users that the cloud ranks for.
            candidates, sound = unpack_ids(inbox, listed, n_items)
            return Turn(
                Ragged.empty(rows),
                np.where(sound | (inbox.lengths == 0), 0, INVALID).astype(np.uint8),
                Cost.zero(rows),
                np.full(rows, np.nan),
                state={"candidates": candidates},
            )
        if leg.kind != "prescription":
            return quiet(rows)
        plan = np.array([row[0] if row else 2 for row in inbox], np.int64)
        told, whole = unpack_ids(Ragged.of_rows(row[1:] for row in inbox), listed, n_items)
        phone = plan == 1
        offered = state["candidates"]
        places, numbers = places_of(model.scores_of(torch.from_numpy(history.items), torch.from_numpy(offered)).numpy(), offered)
        joined = np.take_along_axis(offered, fused(offered, places), 1)
        ranking = np.where(phone[:, None], joined, told)
        sound = np.where(phone, (inbox.lengths == 1) & (offered > 0).any(1) & numbers, (plan == 0) & whole)
        cost = routed_cost(self.context, phone)
        refusal = np.where(sound, refusals(cost.peak_memory_bytes, cost.macs, who.budgets), INVALID).astype(np.uint8)
        return Turn(Ragged.empty(rows), refusal, cost, np.where(phone, 32.0, np.nan), ranking=ranking)
