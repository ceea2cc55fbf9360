"""Cloud half of `chai`: distil the reference into a student, ship the student."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from chordsim.arrays import State
from chordsim.data.split import TrainLogs
from chordsim.methods import Blob, MethodContext
from chordsim.methods.chai.spec import student
from chordsim.methods.shipped.cloud import model_blobs
from chordsim.nets.joined import join
from chordsim.nets.recommender import Dense
from chordsim.nets.shapes import Shapes
from chordsim.nets.terms import Teacher, divergence, log_chances, some_places
from chordsim.nets.windows import Windows
from chordsim.progress import Progress
from server.half import Cloud, Trained
from server.training import dense


class Student(Dense):
    """A small SASRec that also learns from a larger one's scores."""

    def __init__(self, shapes: Shapes, context: MethodContext) -> None:
        super().__init__(shapes, context.seed)
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


class ChaiCloud(Trained):
    """Ships a student."""

    def __init__(self, context: MethodContext) -> None:
        super().__init__(student(context))
        self.large = Cloud(context)

    def recipe(self) -> dict[str, Any]:
        """Return the student's recipe and the teacher's."""
        return {**super().recipe(), "teacher": dense.recipe(self.large.recipe())}

    def network(self) -> Student:
        """Return the untrained student."""
        return Student(self.shapes, self.context)

    def start(self, network: Any, logs: TrainLogs, progress: Progress) -> None:
        """Let the trained reference teach."""
        large = self.large
        network.teacher = Teacher(large.shapes, dense.cached(large.context, large.recipe(), logs, progress))

    def bootstrap(self, state: State) -> list[Blob]:
        """Return the student."""
        return model_blobs(self.shapes, state, 32)
