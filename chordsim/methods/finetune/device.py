"""Device half of `finetune`: a few gradient steps on every weight of the backbone, then rank."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from chordsim.arrays import Columns
from chordsim.methods import Cost, History, Leg, MethodContext, PhoneBatch, Turn
from chordsim.methods.shipped.device import Model, ShippedDevice
from chordsim.nets import backbone
from chordsim.quant.budget import refusals
from chordsim.quant.costs import finetuned
from chordsim.ragged import Ragged
from clients import learning


class FinetuneDevice(ShippedDevice):
    """Every weight of the backbone learns on the phone; embeddings stay as shipped."""

    def __init__(self, context: MethodContext) -> None:
        super().__init__(context)
        s = context.settings
        self.steps, self.rate, self.positions = int(s["steps"]), float(s["rate"]), int(s["positions"])

    def learn(self, model: Model, history: History, listed: Tensor | None = None) -> list[Tensor]:
        """Return each phone's weights [D, C, K] after its steps, with the loss over the catalogue or over what was ``listed``."""
        inputs, targets = learning.lessons(history, self.positions)
        embedded = backbone.embed(inputs, model.item, model.position, self.context.backbone)

        def losses(weights: list[Tensor]) -> Tensor:
            states = backbone.forward(inputs, embedded, weights, self.context.backbone, reads=inputs.shape[1])
            return learning.own_losses(states[:, -self.positions :], model.item, targets, listed)

        phones = inputs.shape[0]
        start = [w.unsqueeze(0).expand(phones, -1, -1) for w in model.weights]
        return learning.descend(start, losses, self.steps, self.rate)

    def act(self, model: Any, state: Columns, leg: Leg, who: PhoneBatch, history: History, inbox: Ragged) -> Turn:
        """Learn, then rank."""
        rows = len(who)
        own = self.learn(model, history, learning.rows_at_hand(self.context, who))
        with torch.no_grad():
            scores = self.score(self.states(replace(model, weights=own), history), model.item)
        cost = self.trained_cost(rows)
        refusal = refusals(cost.peak_memory_bytes, cost.macs, who.budgets)
        return Turn(Ragged.empty(rows), refusal, cost, np.full(rows, 32.0), scores)

    def trained_cost(self, rows: int) -> Cost:
        """Return the cost of a request and of the steps before it."""
        return finetuned(self.context, rows)
