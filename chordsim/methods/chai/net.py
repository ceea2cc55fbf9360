"""The student of `chai`: a small recommender that also learns from a larger one's scores."""

from __future__ import annotations

import torch
from torch import Tensor

from chordsim.methods import MethodContext
from chordsim.nets.joined import join
from chordsim.nets.recommender import Dense
from chordsim.nets.shapes import Shapes
from chordsim.nets.terms import Teacher, divergence, log_chances, some_places
from chordsim.nets.windows import Windows


class Student(Dense):
    """A small SASRec that also learns from a larger one's scores."""

    def __init__(self, shapes: Shapes, context: MethodContext) -> None:
        super().__init__(shapes, context.seed, context.training.start_std)
        self.distil_weight, self.places = float(context.settings["distil_weight"]), int(context.settings["distil_positions"])
        #: Set by the caller; no part of this module's own state.
        self.teacher: Teacher | None = None

    def states(self, windows: Windows, dropout: float, generator: torch.Generator) -> Tensor:
        """Return final states [B, L, d], joined with the divergence from the teacher at some positions."""
        states = super().states(windows, dropout, generator)
        assert self.teacher is not None
        places = some_places(windows.targets, self.places, generator)
        wanted = self.teacher.log_chances(windows.inputs, states.shape[1], places)
        return join(states, self.distil_weight * divergence(log_chances(states, self.item, places), wanted))
