"""Device half of `cocorrrec`: send hidden states, correct itself in closed form under inference mode, rank."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from chordsim.arrays import Columns
from chordsim.methods import INVALID, History, Leg, PhoneBatch, Turn
from chordsim.methods.cocorrrec import net
from chordsim.methods.cocorrrec.spec import layer_cost
from chordsim.nets import blobs, sasrec
from chordsim.quant.budget import refusals
from chordsim.ragged import Ragged
from chordsim.wire.floats import pack_floats, unpack_floats
from clients.half import Device, load_tables, quiet


@dataclass(frozen=True)
class Model:
    """Embeddings and the self-correcting layer."""

    item: Tensor
    position: Tensor
    layer: net.SelfCorrection


class CoCorrRecDevice(Device):
    """Adapts without autograd: its gradient step is a formula."""

    def load(self, blobs_by_label: Mapping[str, bytes]) -> Model:
        """Decode embeddings and layer.

        Raises:
            BadPayload: A blob is not what this backbone needs.
        """
        layer = blobs.filled(net.SelfCorrection(self.shapes), blobs_by_label["layer"])
        return Model(*load_tables(blobs_by_label, self.shapes), layer)

    def act(self, model: Any, state: Columns, leg: Leg, who: PhoneBatch, history: History, inbox: Ragged) -> Turn:
        """Send the last hidden states; rank with the correction that comes back."""
        rows, dim = len(who), self.context.backbone.dim
        items = torch.from_numpy(history.items)
        states = sasrec.embed(items, model.item, model.position)
        if leg.kind == "profile":
            hidden = states[:, -net.MINI_BATCH :].reshape(rows, -1).numpy()
            return quiet(rows, Ragged.of_matrix(pack_floats(hidden), who.active))
        if leg.kind != "prescription":
            return quiet(rows)
        values, sound = unpack_floats(inbox, net.correction_numbers(dim))
        final = model.layer(items, states, net.split_correction(torch.from_numpy(values), dim))[:, -1]
        cost = layer_cost(self.context, rows)
        refusal = np.where(sound, refusals(cost.peak_memory_bytes, cost.macs, who.budgets), INVALID).astype(np.uint8)
        return Turn(Ragged.empty(rows), refusal, cost, np.full(rows, 32.0), self.score(final, model.item))
