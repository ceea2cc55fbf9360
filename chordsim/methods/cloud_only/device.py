"""Device half of `cloud-only`: send the history, show the list."""

from __future__ import annotations

from typing import Any

import numpy as np

from chordsim.arrays import Columns
from chordsim.methods import INVALID, History, Leg, PhoneBatch, Turn
from chordsim.methods.cloud_only.spec import list_cost
from chordsim.ragged import Ragged
from chordsim.wire.ids import pack_ids, unpack_ids
from clients.half import Device, quiet


class CloudOnlyDevice(Device):
    """No model on the phone."""

    def act(self, model: Any, state: Columns, leg: Leg, who: PhoneBatch, history: History, inbox: Ragged) -> Turn:
        """Send the history up; take the list as the ranking."""
        rows, n_items = len(who), self.context.n_items
        if leg.kind == "profile":
            return quiet(rows, Ragged.of_matrix(pack_ids(history.items, n_items), who.active))
        if leg.kind != "candidates":
            return quiet(rows)
        length = min(int(self.context.settings["list_length"]), n_items)
        ranking, sound = unpack_ids(inbox, length, n_items)
        refusal = np.where(sound, 0, INVALID).astype(np.uint8)
        return Turn(Ragged.empty(rows), refusal, list_cost(self.context, rows), np.full(rows, np.nan), ranking=ranking)
