"""Device halves of a plan that is the same for all and told once: the phone buys it by its own budgets, as the cloud would have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from chordsim.arrays import Columns
from chordsim.kernels.users import turned_users
from chordsim.methods import INVALID, Cost, History, Leg, PhoneBatch, Turn
from chordsim.methods.chord.device import Model, PlanDevice
from chordsim.methods.chord.settings import told_macs
from chordsim.methods.chord.shared.vector import LEVELS
from chordsim.nets import blobs, user_input
from chordsim.ragged import Ragged
from chordsim.runtime.portable import Portable
from chordsim.wire.codes import Codes
from chordsim.wire.floats import pack_floats
from clients.half import quiet


@dataclass(frozen=True)
class ToldModel(Model):
    """What a phone holds that is told a vector.

    Attributes:
        told: What turns the numbers of a session into a part of the backbone's inputs, [d, n].
    """

    told: Tensor


class SharedDevice(PlanDevice):
    """Asks for nothing: the bootstrap says all that a plan is bought by."""

    def worth(self, blobs_by_label: Mapping[str, bytes]) -> Tensor | None:
        """Return what every code of every channel is worth, [1, C, 4].

        Raises:
            BadPayload: The blob is not what this backbone needs.
        """
        return blobs.load(blobs_by_label["utilities"], {"utilities": (self.shapes.channels, 4)})["utilities"][None]

    def plan(self, model: Any, who: PhoneBatch, inbox: Ragged) -> tuple[Tensor, Codes]:
        """Return the plan that each phone buys; utilities are alike on all phones, so whoever has the same room has the same plan."""
        return self._bought(model, torch.zeros(len(who), dtype=torch.int64), who.budgets)

    def act(self, model: Any, state: Columns, leg: Leg, who: PhoneBatch, history: History, inbox: Ragged) -> Turn:
        """Buy the plan that this phone's budgets allow, and rank."""
        return self.ranked(model, who, history)

    def ranked(self, model: Any, who: PhoneBatch, history: History, told: Tensor | None = None) -> Turn:
        """Buy plans, and rank with ``told`` [D, d] among the inputs."""
        rows = len(who)
        plan, short = self.plan(model, who, Ragged.empty(rows))
        spent = self.budget.cost_of(plan)
        refusal = np.where(short, short, self._refused(plan, spent, who.budgets)).astype(np.uint8)
        cost = replace(
            Cost.zero(rows),
            macs=spent.macs,
            bitops=spent.bitops,
            peak_memory_bytes=spent.peak_memory_bytes,
            model_bytes=spent.model_bytes,
        )
        scores = self.scored(self._states(model, plan, torch.from_numpy(history.items), told), model.item)
        return Turn(Ragged.empty(rows), refusal, cost, spent.weight_bits / self.shapes.weights, scores)


class ToldDevice(SharedDevice):
    """Says who its user is, and is told numbers that join its inputs, beside the plan that it buys by itself."""

    def load(self, blobs_by_label: Mapping[str, bytes]) -> ToldModel:
        """Decode what a shared plan needs, and the matrix for the numbers.

        Raises:
            BackboneMismatch: The backbone is not the one that the plan is for.
            BadPayload: A blob is not what this backbone needs.
        """
        matrix = user_input.restored(blobs_by_label["told"], self.context.backbone.dim, self.shapes.plan_bytes)
        return ToldModel(**vars(super().load(blobs_by_label)), told=matrix)

    def portable(self, blobs_by_label: Mapping[str, bytes]) -> Portable | None:
        """Return None: the numbers of a session are among the inputs, and no run keeps them."""
        return None

    def act(self, model: Any, state: Columns, leg: Leg, who: PhoneBatch, history: History, inbox: Ragged) -> Turn:
        """Send the user embedding, of as long ago as the settings say; rank with the numbers that come down."""
        age = self.settings.aged
        if leg.kind == "profile":
            user = self._users(model, torch.from_numpy(history.items[:, : history.items.shape[1] - age])).numpy()
            return quiet(len(who), Ragged.of_matrix(pack_floats(user), who.active))
        if leg.kind != "prescription":
            return quiet(len(who))
        packed, sound = inbox.matrix(self.shapes.plan_bytes)
        numbers = torch.from_numpy(packed.view(np.int8).astype(np.float32)) / LEVELS
        told = turned_users(numbers, model.told) if self.kernels.native else numbers @ model.told.T
        now = history.items[:, age:]
        turn = self.ranked(model, who, History(now, np.minimum(history.lengths, now.shape[1])), told)
        adapt = np.full(len(who), told_macs(self.shapes, self.settings), np.int64)
        refusal = np.where(sound, turn.refusal, INVALID).astype(np.uint8)
        return replace(turn, refusal=refusal, cost=replace(turn.cost, adapt_macs=adapt))
