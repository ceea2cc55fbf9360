"""Device halves of the controls of `chord-plus` or `chord`: what they say of the user is not what the user is today."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from chordsim.arrays import Columns
from chordsim.methods import History, Leg, PhoneBatch, Turn
from chordsim.methods.chord.device import PlanDevice
from chordsim.nets.reads import reach_of
from chordsim.ragged import Ragged


class SwappedPlanDevice(PlanDevice):
    """Says how long its history is, so that the cloud can find a similar one."""

    def act(self, model: Any, state: Columns, leg: Leg, who: PhoneBatch, history: History, inbox: Ragged) -> Turn:
        """Add two bytes to the profile; the rest is as the method that is controlled has it."""
        turn = super().act(model, state, leg, who, history, inbox)
        if leg.kind != "profile":
            return turn
        told = np.minimum(history.lengths, 2**16 - 1).astype("<u2")
        rows = (row + told[d].tobytes() if who.active[d] else b"" for d, row in enumerate(turn.outbox))
        return replace(turn, outbox=Ragged.of_rows(rows))


class EmptyPlanDevice(PlanDevice):
    """Asks for a plan as if its user had done nothing yet; ranks by what the user did."""

    def act(self, model: Any, state: Columns, leg: Leg, who: PhoneBatch, history: History, inbox: Ragged) -> Turn:
        """Send the profile of an empty history; the rest is as the method that is controlled has it."""
        if leg.kind == "profile":
            history = History(np.zeros_like(history.items), np.zeros_like(history.lengths))
        return super().act(model, state, leg, who, history, inbox)


class AgedPlanDevice(PlanDevice):
    """Asks for the plan of an earlier time, k items ago; ranks by what the user did until today."""

    def act(self, model: Any, state: Columns, leg: Leg, who: PhoneBatch, history: History, inbox: Ragged) -> Turn:
        """Send the profile of the window that ended k items ago; the rest is as the method that is controlled has it."""
        window = max(self.context.backbone.max_len, reach_of(self.settings.reads))
        age = history.items.shape[1] - window
        if leg.kind == "profile":
            then = History(history.items[:, :window], np.clip(history.lengths - age, 0, window))
        else:
            then = History(history.items[:, age:], np.minimum(history.lengths, window))
        return super().act(model, state, leg, who, then, inbox)
