"""Device half of `dccl`: train the metapatch on the phone's own history, send it, rank with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from chordsim.arrays import Columns
from chordsim.methods import History, Leg, MethodContext, PhoneBatch, Turn
from chordsim.methods.dccl import net
from chordsim.methods.dccl.spec import patched_cost
from chordsim.methods.fedavg.device import only_training
from chordsim.methods.shipped.device import Model, ShippedDevice
from chordsim.nets import blobs, sasrec
from chordsim.quant.budget import refusals
from chordsim.ragged import Ragged
from chordsim.wire.floats import pack_floats
from clients import learning


@dataclass(frozen=True)
class Patched(Model):
    """A shipped model with the shared basis [blocks, n, r] and the first metapatch [blocks, r]."""

    basis: Tensor
    meta: Tensor


class DcclDevice(ShippedDevice):
    """Trains a few numbers per block; everything else stays as shipped."""

    def __init__(self, context: MethodContext) -> None:
        super().__init__(context)
        s = context.settings
        self.steps, self.rate, self.positions = int(s["steps"]), float(s["rate"]), int(s["positions"])
        self.hidden, self.rank = int(s["hidden"]), int(s["rank"])

    def load(self, blobs_by_label: Mapping[str, bytes]) -> Patched:
        """Decode backbone and patches.

        Raises:
            BadPayload: A blob is not what this backbone needs.
        """
        base, config = super().load(blobs_by_label), self.context.backbone
        numbers = net.patch_numbers(config, self.hidden)
        wanted = {"basis": (config.blocks, numbers, self.rank), "meta": (config.blocks, self.rank)}
        patches = blobs.load(blobs_by_label["patches"], wanted)
        return Patched(base.item, base.position, base.weights, patches["basis"], patches["meta"])

    def learn(self, model: Patched, history: History, listed: Tensor | None = None) -> Tensor:
        """Return each phone's metapatch [D, blocks, r] after its steps, with the loss over the catalogue or over what was ``listed``."""
        inputs, targets = learning.lessons(history, self.positions)
        embedded = sasrec.embed(inputs, model.item, model.position)
        config = self.context.backbone

        def losses(metas: list[Tensor]) -> Tensor:
            weights = net.patched(model.weights, model.basis, metas[0], config)
            states = sasrec.forward(inputs, embedded, weights, config, reads=inputs.shape[1])
            return learning.own_losses(states[:, -self.positions :], model.item, targets, listed)

        start = [model.meta.unsqueeze(0).expand(inputs.shape[0], -1, -1)]
        return learning.descend(start, losses, self.steps, self.rate)[0]

    def act(self, model: Any, state: Columns, leg: Leg, who: PhoneBatch, history: History, inbox: Ragged) -> Turn:
        """Learn and send; then rank with what was learnt, which the phone keeps until the round ends."""
        rows, config = len(who), self.context.backbone
        cost = patched_cost(self.context, rows)
        refusal = refusals(cost.peak_memory_bytes, cost.macs, who.budgets)
        if leg.kind == "update":
            own = self.learn(model, history, learning.rows_at_hand(self.context, who)).flatten(1).numpy()
            sent = who.active & (refusal == 0)
            kept = {"meta": own}
            return Turn(Ragged.of_matrix(pack_floats(own), sent), refusal, only_training(cost), np.full(rows, np.nan), state=kept)
        meta = torch.from_numpy(state["meta"]).view(rows, config.blocks, self.rank)
        with torch.no_grad():
            weights = net.patched(model.weights, model.basis, meta, config)
            scores = self.score(self.states(replace(model, weights=weights), history), model.item)
        spent = replace(cost, train_macs=np.zeros(rows, np.int64))
        return Turn(Ragged.empty(rows), refusal, spent, np.full(rows, 32.0), scores)
