"""Device half of `fedavg`: train on the phone, send the weights up; rank with the shared ones."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch

from chordsim.arrays import Columns
from chordsim.methods import Cost, History, Leg, PhoneBatch, Turn
from chordsim.methods.finetune.device import FinetuneDevice
from chordsim.quant.budget import refusals
from chordsim.ragged import Ragged
from chordsim.wire.floats import pack_floats
from clients import learning


class FedAvgDevice(FinetuneDevice):
    """Trains as `finetune` does, and lets the cloud have the result."""

    def act(self, model: Any, state: Columns, leg: Leg, who: PhoneBatch, history: History, inbox: Ragged) -> Turn:
        """Learn and send; then rank with what the cloud shipped."""
        rows = len(who)
        none = np.full(rows, np.nan)
        cost = self.trained_cost(rows)
        refusal = refusals(cost.peak_memory_bytes, cost.macs, who.budgets)
        if leg.kind == "update":
            learnt = self.learn(model, history, learning.rows_at_hand(self.context, who))
            own = torch.cat([w.flatten(1) for w in learnt], 1).numpy()
            examples = (learning.lessons(history, self.positions)[1] > 0).sum(1, keepdim=True).numpy()
            # A phone that refuses to train has no weights to send: its message is empty.
            payload = pack_floats(np.concatenate([own, examples.astype(np.float32)], 1))
            return Turn(Ragged.of_matrix(payload, who.active & (refusal == 0)), refusal, only_training(cost), none)
        with torch.no_grad():
            scores = self.score(self.states(model, history), model.item)
        return Turn(Ragged.empty(rows), refusal, self.cost(rows), np.full(rows, 32.0), scores)


def only_training(cost: Cost) -> Cost:
    """Return the cost of the steps without the request that follows."""
    zero = np.zeros_like(cost.macs)
    return replace(cost, macs=zero, bitops=zero, adapt_macs=zero)
