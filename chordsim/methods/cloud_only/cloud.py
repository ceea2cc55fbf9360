"""Cloud half of `cloud-only`: the full-precision reference ranks on the server."""

from __future__ import annotations

import numpy as np

from chordsim.arrays import State
from chordsim.methods import INVALID, Batch, CloudTurn, Leg
from chordsim.nets import footprint
from chordsim.ragged import Ragged
from chordsim.wire.ids import pack_ids, unpack_ids
from server.half import OfReference
from server.retrieval import ranked


class CloudOnlyCloud(OfReference):
    """History in, list out."""

    def respond(self, state: State, leg: Leg, who: Batch, inbox: Ragged) -> CloudTurn:
        """Rank the catalogue for each history and return the best items, those in it only where seen items are ranked."""
        config, n_items = self.context.backbone, self.context.n_items
        history, sound = unpack_ids(inbox, config.max_len, n_items)
        listed = ranked(self.shapes, state, history, min(int(self.context.settings["list_length"]), n_items), self.context.repeats)
        refusal = np.where(who.active & ~sound, INVALID, 0).astype(np.uint8)
        macs = np.full(len(who), footprint.dense_macs(self.shapes), np.int64)
        return CloudTurn(Ragged.of_matrix(pack_ids(listed, n_items), who.active & sound), macs, refusal, np.zeros(len(who), np.uint8))
