"""Cloud half of `chai`: distil the reference into a student, ship the student."""

from __future__ import annotations

from typing import Any

from chordsim.arrays import State
from chordsim.data.split import TrainLogs
from chordsim.methods import Blob, MethodContext
from chordsim.methods.chai import net
from chordsim.methods.chai.spec import student
from chordsim.methods.shipped.cloud import model_blobs
from chordsim.nets.terms import Teacher
from chordsim.progress import Progress
from server.half import Cloud, Trained
from server.retrieval import as_trained
from server.training import dense


class ChaiCloud(Trained):
    """Ships a student."""

    def __init__(self, context: MethodContext) -> None:
        super().__init__(student(context))
        self.large = Cloud(context)

    def recipe(self) -> dict[str, Any]:
        """Return the student's recipe and the teacher's."""
        return {**super().recipe(), "teacher": dense.recipe(self.large.recipe())}

    def network(self) -> net.Student:
        """Return the untrained student."""
        return net.Student(self.shapes, self.context)

    def start(self, network: Any, logs: TrainLogs, progress: Progress) -> frozenset[str]:
        """Let the trained reference teach."""
        large = self.large
        teacher = dense.cached(large.context, large.recipe(), logs, progress)
        network.teacher = Teacher(large.shapes, {**teacher, "item": as_trained(large.shapes, teacher)})
        return frozenset()

    def bootstrap(self, state: State) -> list[Blob]:
        """Return the student."""
        return model_blobs(self.shapes, state, 32)
