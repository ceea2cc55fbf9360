"""Device half of `duet`: send the clicks, run the static backbone, put the generated head on top, rank."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from chordsim.arrays import Columns
from chordsim.methods import INVALID, Cost, History, Leg, PhoneBatch, Turn
from chordsim.methods.duet import net
from chordsim.methods.duet.spec import headed_cost
from chordsim.methods.shipped.device import ShippedDevice
from chordsim.quant.budget import refusals
from chordsim.ragged import Ragged
from chordsim.wire.floats import unpack_floats
from chordsim.wire.ids import pack_ids
from clients.half import quiet


class DuetDevice(ShippedDevice):
    """A shipped backbone with a head of the user's own."""

    def act(self, model: Any, state: Columns, leg: Leg, who: PhoneBatch, history: History, inbox: Ragged) -> Turn:
        """Send the clicks; apply the head that comes down."""
        rows, n_items = len(who), self.context.n_items
        if leg.kind == "profile":
            clicks = latest(history, int(self.context.settings["clicks"]))
            return quiet(rows, Ragged.of_matrix(pack_ids(clicks, n_items), who.active))
        if leg.kind != "prescription":
            return quiet(rows)
        head, sound = unpack_floats(inbox, net.head_numbers(self.context.backbone.dim))
        states = net.apply(self.states(model, history), torch.from_numpy(head))
        cost = self.cost(rows)
        refusal = np.where(sound, refusals(cost.peak_memory_bytes, cost.macs, who.budgets), INVALID).astype(np.uint8)
        return Turn(Ragged.empty(rows), refusal, cost, np.full(rows, 32.0), self.score(states, model.item))

    def cost(self, rows: int) -> Cost:
        """Return what one request takes, the same on every phone."""
        return headed_cost(self.context, rows)


def latest(history: History, count: int) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    """Return the last ``count`` items [D, count], padded with 0 on the left where the window is shorter."""
    items = history.items[:, -count:]
    return np.pad(items, ((0, 0), (count - items.shape[1], 0)))
