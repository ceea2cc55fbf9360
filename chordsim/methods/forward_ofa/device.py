"""Device half of `forward-ofa`: choose blocks, ask for them, run those alone, rank."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from chordsim.arrays import Columns
from chordsim.methods import INVALID, History, Leg, MethodContext, PhoneBatch, Turn
from chordsim.methods.forward_ofa import net
from chordsim.methods.forward_ofa.spec import blocks_cost
from chordsim.nets import blobs, sasrec
from chordsim.quant.budget import refusals
from chordsim.ragged import Ragged
from chordsim.wire.floats import pack_floats, unpack_floats
from chordsim.wire.ids import id_bytes, unpack_ids
from clients.half import Device, load_tables, quiet


@dataclass(frozen=True)
class Model:
    """Embeddings and the structure controller."""

    item: Tensor
    position: Tensor
    controller: net.Controller


class ForwardOfaDevice(Device):
    """Runs the blocks that its user and its budgets deserve."""

    def __init__(self, context: MethodContext) -> None:
        super().__init__(context)
        self.numbers = net.block_weights(self.shapes)
        self.block_macs = net.block_macs(self.shapes)
        nothing = blocks_cost(context, np.zeros(1, np.int64), np.zeros(1, np.int64))
        self.fixed_bytes, self.fixed_macs = int(nothing.peak_memory_bytes[0]), int(nothing.macs[0])

    def load(self, blobs_by_label: Mapping[str, bytes]) -> Model:
        """Decode embeddings and controller.

        Raises:
            BadPayload: A blob is not what this backbone needs.
        """
        controller = blobs.filled(net.Controller(self.shapes), blobs_by_label["controller"])
        return Model(*load_tables(blobs_by_label, self.shapes), controller)

    def act(self, model: Any, state: Columns, leg: Leg, who: PhoneBatch, history: History, inbox: Ragged) -> Turn:
        """Check candidates; say which blocks; run them."""
        rows, config = len(who), self.context.backbone
        if leg.kind == "candidates":
            return self._cache(model, who, inbox)
        if leg.kind == "report":
            return quiet(rows)
        items = torch.from_numpy(history.items)
        if leg.kind == "profile":
            logits, interest = model.controller(items, model.item)
            speed = np.minimum(who.budgets.latency_s * who.budgets.macs_per_s, 2.0**52)
            kept = net.drop(
                (logits[..., 1] > logits[..., 0]).numpy(),
                torch.softmax(logits, -1)[..., 1].numpy(),
                self.block_macs,
                4 * self.numbers,
                speed.astype(np.int64) - self.fixed_macs,
                who.budgets.memory_bytes - self.fixed_bytes,
            )
            asked = model.controller.asks(interest, torch.from_numpy(kept.astype(np.float32)))
            payload = np.concatenate([net.pack_kept(kept), pack_floats(asked.numpy())], 1)
            return quiet(rows, Ragged.of_matrix(payload, who.active))
        kept, values, sound = net.unpack_blocks(inbox, config.blocks, self.numbers)
        weights = net.weights_of(values, self.shapes)
        states = sasrec.forward(items, sasrec.embed(items, model.item, model.position), weights, config)
        cost = blocks_cost(self.context, kept.sum(1), kept @ self.block_macs)
        refusal = np.where(sound, refusals(cost.peak_memory_bytes, cost.macs, who.budgets), INVALID).astype(np.uint8)
        # Bits per weight of the whole backbone: skipped blocks store nothing.
        return Turn(Ragged.empty(rows), refusal, cost, 32.0 * kept.mean(1), self.score(states, model.item))

    def _cache(self, model: Model, who: PhoneBatch, inbox: Ragged) -> Turn:
        """Take in the session's candidates; rows that differ from the cache would not be this version's."""
        n_items, dim = self.context.n_items, self.context.backbone.dim
        listed = min(int(self.context.settings["candidates"]), n_items)
        ids_width = listed * id_bytes(n_items)
        packed, fits = inbox.matrix(ids_width + 4 * listed * dim)
        ids, known = unpack_ids(Ragged.of_matrix(packed[:, :ids_width]), listed, n_items)
        values, finite = unpack_floats(Ragged.of_matrix(packed[:, ids_width:]), listed * dim)
        same = (model.item[torch.from_numpy(ids)].flatten(1).numpy() == values).all(1)
        turn = quiet(len(who))
        turn.refusal[who.active & ~(fits & known & finite & same)] = INVALID
        return turn
