"""Cloud halves of the controls of `chord-plus` or `chord`: its plans, from the wrong utilities or for whatever profile comes up."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from chordsim import seeds
from chordsim.arrays import Ints, State
from chordsim.data.split import TrainLogs
from chordsim.methods import Batch, CloudTurn, Leg
from chordsim.methods.chord.cloud import PlanCloud
from chordsim.methods.chord.controls.spec import LENGTH_BYTES
from chordsim.methods.chord.network import Planned
from chordsim.progress import Progress
from chordsim.ragged import Ragged
from chordsim.wire.floats import BUDGET_BYTES


class OfAnother(PlanCloud):
    """Trains as the method that it controls does, to the same state; as it stands for controls that differ on the phone alone."""

    def trainee(self) -> PlanCloud:
        """Return what is trained in place of this half, under the name of the method whose draws this control shares."""
        return PlanCloud(replace(self.context, name=self.settings.plans_of))

    def recipe(self) -> dict[str, Any]:
        """Return the recipe of the method that is controlled."""
        return self.trainee().recipe()

    def train(self, logs: TrainLogs, progress: Progress) -> State:
        """Train as that method does."""
        return self.trainee().train(logs, progress)


class RandomPlanCloud(OfAnother):
    """A plan that knows nobody: normal utilities, a function of (seed, device, round)."""

    def utilities(self, model: Planned, user: Tensor, who: Batch) -> Tensor:
        """Return utilities [D, C, 4]."""
        count = self.shapes.channels * 4
        drawn = seeds.normals(self.context.seed, "control.random_plan", who.device_ids, round=who.round, count=count)
        return torch.from_numpy(drawn.astype(np.float32)).view(-1, self.shapes.channels, 4)


class SwappedPlanCloud(OfAnother):
    """A plan that knows somebody else."""

    #: Neighbours are found within a chunk.
    apart = False

    def respond(self, state: State, leg: Leg, who: Batch, inbox: Ragged) -> CloudTurn:
        """Swap user embeddings, or lists, between neighbours in history length, keep budgets, then plan."""
        packed, fits = inbox.matrix(4 * self.settings.profile_dim + BUDGET_BYTES + LENGTH_BYTES)
        length = packed[:, -LENGTH_BYTES:].copy().view("<u2")[:, 0].astype(np.int64)
        partner = partners(length, who.device_ids, who.active & fits)
        cut = 4 * self.settings.profile_dim
        theirs = self.settings.swaps == "list"
        swapped = np.concatenate([packed[:, :cut] if theirs else packed[partner, :cut], packed[:, cut:-LENGTH_BYTES]], 1)
        if theirs and who.listed is not None:
            who = replace(who, listed=who.listed[partner])
        return super().respond(state, leg, who, Ragged.of_matrix(swapped, fits))


def partners(lengths: Ints, device_ids: Ints, taking_part: np.ndarray) -> Ints:
    """Return whose embedding each row gets: pairs of neighbours by length swap; an odd last one takes its neighbour's.

    A row that is alone in its chunk, or takes no part, keeps its own.
    """
    out = np.arange(lengths.size)
    rows = np.flatnonzero(taking_part)
    order = rows[np.lexsort((device_ids[rows], lengths[rows]))]
    for at in range(0, order.size - 1, 2):
        out[order[at]], out[order[at + 1]] = order[at + 1], order[at]
    if order.size % 2 and order.size > 1:
        out[order[-1]] = order[-2]
    return out
