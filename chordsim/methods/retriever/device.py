"""Device half of `retriever`: show the list as it came."""

from __future__ import annotations

from typing import Any

import numpy as np

from chordsim.arrays import Columns
from chordsim.methods import History, Leg, PhoneBatch, Turn
from chordsim.methods.retriever.spec import list_cost, longest
from chordsim.quant.budget import refusals
from chordsim.ragged import Ragged
from clients.half import Device


class RetrieverDevice(Device):
    """No model on the phone."""

    def act(self, model: Any, state: Columns, leg: Leg, who: PhoneBatch, history: History, inbox: Ragged) -> Turn:
        """Rank the list in its order: places in it, from 1."""
        rows = len(who)
        cost = list_cost(self.context, rows)
        places = np.repeat(np.arange(1, longest(self.context) + 1)[None], rows, 0)
        refusal = refusals(cost.peak_memory_bytes, cost.macs, who.budgets)
        return Turn(Ragged.empty(rows), refusal, cost, np.full(rows, np.nan), ranking=places)
