"""The half on the phones: send the last item, show the list. A chunk of phones at a time."""

import numpy as np

from chordsim.methods import INVALID, Turn
from chordsim.ragged import Ragged
from clients import half as base


class Device(base.Device):
    def act(self, model, state, leg, who, history, inbox):
        if leg.kind == "profile":
            last = np.ascontiguousarray(history.items[:, -1:], "<i4").view(np.uint8)
            return base.quiet(len(who), Ragged.of_matrix(last, who.active))
        if leg.kind != "prescription":
            return base.quiet(len(who))
        listed = min(self.context.settings["listed"], self.context.n_items)
        rows, sound = inbox.matrix(4 * listed)
        cost = base.same_for_all(len(who), macs=0, bitops=0, peak_memory_bytes=4 * listed, model_bytes=0)
        refusal = np.where(sound, 0, INVALID).astype(np.uint8)
        bits = np.full(len(who), np.nan)
        return Turn(Ragged.empty(len(who)), refusal, cost, bits, ranking=rows.view("<i4").astype(np.int64))
