"""Device half of a plan that is the same for all and told once: the phone buys it by its own budgets, as the cloud would have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from chordsim.arrays import Columns
from chordsim.methods import Cost, History, Leg, PhoneBatch, Turn
from chordsim.methods.chord.device import Model, PlanDevice
from chordsim.nets import blobs
from chordsim.ragged import Ragged
from chordsim.runtime.portable import Portable


@dataclass(frozen=True)
class SharedModel(Model):
    """What a phone holds: a backbone, and what every code of every channel is worth, [C, 4]."""

    utilities: Tensor


class SharedDevice(PlanDevice):
    """Asks for nothing: the bootstrap says all that a plan is bought by."""

    def load(self, blobs_by_label: Mapping[str, bytes]) -> SharedModel:
        """Draw or unpack the backbone, check it, and decode embeddings, mask, gains, utilities, and what reads users if something does.

        Raises:
            BackboneMismatch: The backbone is not the one that the plan is for.
            BadPayload: A blob is not what this backbone needs.
        """
        worth = blobs.load(blobs_by_label["utilities"], {"utilities": (self.shapes.channels, 4)})["utilities"]
        base = super().load(blobs_by_label)
        return SharedModel(base.item, base.position, base.reader, base.user_input, base.tables, worth)

    def portable(self, blobs_by_label: Mapping[str, bytes]) -> Portable | None:
        """Return None: a phone runtime would have to buy the plan."""
        return None

    def act(self, model: Any, state: Columns, leg: Leg, who: PhoneBatch, history: History, inbox: Ragged) -> Turn:
        """Buy the plan that this phone's budgets allow, and rank."""
        rows, lowest = len(who), self.settings.lowest
        limits = self.budget.limits(who.budgets, self.settings.bits)
        # Utilities are alike on all phones: whoever has the same room has the same plan.
        bought = self.kernels.allocate(model.utilities.expand(rows, -1, -1).contiguous(), self.budget.costs(), limits, lowest)
        plan = torch.where(bought.refused[:, None], lowest, bought.codes).to(torch.uint8)
        spent = self.budget.cost_of(plan)
        refusal = np.where(bought.refused.numpy(), bought.binding.numpy() + 1, self._refused(plan, spent, who.budgets)).astype(np.uint8)
        cost = replace(
            Cost.zero(rows),
            macs=spent.macs,
            bitops=spent.bitops,
            peak_memory_bytes=spent.peak_memory_bytes,
            model_bytes=spent.model_bytes,
        )
        scores = self.score(self._states(model, plan, torch.from_numpy(history.items)), model.item)
        return Turn(Ragged.empty(rows), refusal, cost, spent.weight_bits / self.shapes.weights, scores)
