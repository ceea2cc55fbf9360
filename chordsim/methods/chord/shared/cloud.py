"""Cloud half of a shared plan whose phones are told a vector each session: the user and the list of the session, as int8 numbers."""

from __future__ import annotations

import numpy as np
import torch

from chordsim.arrays import State
from chordsim.methods import Batch, CloudTurn, Leg
from chordsim.methods.chord.cloud import PlanCloud
from chordsim.methods.chord.shared.vector import LEVELS
from chordsim.ragged import Ragged
from chordsim.wire.floats import unpack_floats
from server.half import answer


class ToldCloud(PlanCloud):
    """Trains and ships what a shared plan needs; answers with numbers in place of a plan."""

    def respond(self, state: State, leg: Leg, who: Batch, inbox: Ragged) -> CloudTurn:
        """Turn user embeddings and lists into numbers."""
        user, sound = unpack_floats(inbox, self.settings.profile_dim)
        model = self._restore(state)
        assert model.told is not None and model.reader is not None
        with torch.inference_mode():
            numbers = model.told.numbers(self._seen(model, torch.from_numpy(user), who))
            # Numbers that are finite but absurd overflow on the way: that phone's question makes no sense.
            usable = torch.isfinite(numbers).all(1)
            levels = torch.round(torch.where(usable[:, None], numbers, 0.0) * LEVELS).to(torch.int8).numpy()
        listed = 0 if who.listed is None else who.listed.shape[1]
        macs = model.told.macs() + model.reader.macs(listed)
        return answer(who, np.ascontiguousarray(levels).view(np.uint8), sound & usable.numpy(), macs)
