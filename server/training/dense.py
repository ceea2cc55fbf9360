"""Training of the full-precision reference: one state that several methods start from."""

from __future__ import annotations

from typing import Any

from chordsim.data.split import TrainLogs
from chordsim.methods import MethodContext, State
from chordsim.nets.shapes import Shapes
from chordsim.progress import Progress
from server.training.fit import fit
from server.training.models import Dense

TITLE = "fp32"


def recipe(base: dict[str, Any]) -> dict[str, Any]:
    """Return what the state depends on; how the frozen backbone starts is not part of it."""
    backbone = {k: v for k, v in base["backbone"].items() if k != "init"}
    return {**base, "backbone": backbone, "trainer": "dense"}


def train(shapes: Shapes, context: MethodContext, logs: TrainLogs, progress: Progress) -> State:
    """Train SASRec at full precision."""
    model = Dense(shapes, context.seed)
    return fit(model, logs, context.training, context.backbone.max_len, context.seed, TITLE, progress)


def weights(shapes: Shapes, state: State) -> list[Any]:
    """Return the trained weights per layer, [C, K]."""
    return [state[f"weights.{n}"] for n in range(len(shapes.layers))]
