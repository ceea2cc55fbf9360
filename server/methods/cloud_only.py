"""Cloud half of `cloud-only`: the full-precision reference ranks on the server."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from chordsim.data.split import TrainLogs
from chordsim.methods import INVALID, Batch, CloudTurn, Leg, State
from chordsim.nets import footprint, sasrec
from chordsim.nets.shapes import Shapes
from chordsim.progress import Progress
from chordsim.ragged import Ints, Ragged
from chordsim.wire.ids import pack_ids, unpack_ids
from server.methods.base import Cloud
from server.training import dense


class CloudOnlyCloud(Cloud):
    """History in, list out."""

    def recipe(self) -> dict[str, Any]:
        """Return the recipe of the shared full-precision training."""
        return dense.recipe(super().recipe())

    def train(self, logs: TrainLogs, progress: Progress) -> State:
        """Train the full-precision reference."""
        return dense.train(self.shapes, self.context, logs, progress)

    def respond(self, state: State, leg: Leg, who: Batch, inbox: Ragged) -> CloudTurn:
        """Rank the catalogue for each history and return the best items that are not in it."""
        config, n_items = self.context.backbone, self.context.n_items
        history, sound = unpack_ids(inbox, config.max_len, n_items)
        listed = ranked(self.shapes, state, history, min(int(self.context.settings["list_length"]), n_items))
        refusal = np.where(who.active & ~sound, INVALID, 0).astype(np.uint8)
        macs = np.full(len(who), footprint.dense_macs(self.shapes), np.int64)
        return CloudTurn(Ragged.of_matrix(pack_ids(listed, n_items), who.active & sound), macs, refusal, np.zeros(len(who), np.uint8))


def ranked(shapes: Shapes, state: State, history: Ints, length: int) -> Ints:
    """Return the reference's best items [D, length] for histories [D, L], none of them in the history; 0 pads."""
    items = torch.from_numpy(history)
    with torch.inference_mode():
        states = sasrec.embed(items, state["item"], state["position"])
        scores = sasrec.forward(items, states, dense.weights(shapes, state), shapes.backbone) @ state["item"].T
        scores.scatter_(1, items, -torch.inf)
        scores[:, 0] = -torch.inf
        # A stable sort, so that equal scores keep the order of ids whatever the chunk.
        best = torch.sort(scores, dim=1, descending=True, stable=True)
    return np.asarray(torch.where(best.values[:, :length] > -torch.inf, best.indices[:, :length], 0).numpy(), np.int64)
