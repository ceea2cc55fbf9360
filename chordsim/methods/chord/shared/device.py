"""Device half of a plan that is the same for all and told once: the phone buys it by its own budgets, as the cloud would have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from chordsim.arrays import Columns
from chordsim.methods import Cost, History, Leg, PhoneBatch, Turn
from chordsim.methods.chord.device import PlanDevice
from chordsim.nets import blobs
from chordsim.ragged import Ragged
from chordsim.runtime.portable import Portable


class SharedDevice(PlanDevice):
    """Asks for nothing: the bootstrap says all that a plan is bought by."""

    def worth(self, blobs_by_label: Mapping[str, bytes]) -> Tensor | None:
        """Return what every code of every channel is worth, [1, C, 4].

        Raises:
            BadPayload: The blob is not what this backbone needs.
        """
        return blobs.load(blobs_by_label["utilities"], {"utilities": (self.shapes.channels, 4)})["utilities"][None]

    def portable(self, blobs_by_label: Mapping[str, bytes]) -> Portable | None:
        """Return None: a phone runtime would have to buy the plan."""
        return None

    def act(self, model: Any, state: Columns, leg: Leg, who: PhoneBatch, history: History, inbox: Ragged) -> Turn:
        """Buy the plan that this phone's budgets allow, and rank."""
        rows = len(who)
        # Utilities are alike on all phones: whoever has the same room has the same plan.
        plan, short = self._bought(model, torch.zeros(rows, dtype=torch.int64), who.budgets)
        spent = self.budget.cost_of(plan)
        refusal = np.where(short, short, self._refused(plan, spent, who.budgets)).astype(np.uint8)
        cost = replace(
            Cost.zero(rows),
            macs=spent.macs,
            bitops=spent.bitops,
            peak_memory_bytes=spent.peak_memory_bytes,
            model_bytes=spent.model_bytes,
        )
        scores = self.score(self._states(model, plan, torch.from_numpy(history.items)), model.item)
        return Turn(Ragged.empty(rows), refusal, cost, spent.weight_bits / self.shapes.weights, scores)
