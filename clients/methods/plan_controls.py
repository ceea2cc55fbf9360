"""Device half of `chord-swapped`: the profile of `chord-plus`, and how long the history is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from chordsim.methods import Batch, Columns, History, Leg, Turn
from chordsim.ragged import Ragged
from clients.methods.plan import PlanDevice


class SwappedPlanDevice(PlanDevice):
    """Says how long its history is, so that the cloud can find a similar one."""

    def act(self, model: Any, state: Columns, leg: Leg, who: Batch, history: History, inbox: Ragged) -> Turn:
        """Add two bytes to the profile; the rest is `chord-plus`."""
        turn = super().act(model, state, leg, who, history, inbox)
        if leg.kind != "profile":
            return turn
        told = np.minimum(history.lengths, 2**16 - 1).astype("<u2")
        rows = (row + told[d].tobytes() if who.active[d] else b"" for d, row in enumerate(turn.outbox))
        return replace(turn, outbox=Ragged.of_rows(rows))
