"""Defaults of a cloud half: admits everyone, answers nothing, learns nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from chordsim.errors import RunError
from chordsim.methods import Batch, Blob, Budgets, CloudTurn, Leg, MethodContext, State
from chordsim.nets.shapes import shapes_of
from chordsim.ragged import Ragged


class Cloud:
    """Base of the shipped cloud halves; a third party may use it or write its own."""

    def __init__(self, context: MethodContext) -> None:
        self.context = context
        self.shapes = shapes_of(context.backbone, context.n_items)

    def recipe(self) -> dict[str, Any]:
        """Return the settings that every trained state depends on."""
        c = self.context
        return {
            "backbone": c.backbone.model_dump(mode="json"), "training": c.training.model_dump(mode="json"),
            "n_items": c.n_items, "seed": c.seed,
        }  # fmt: skip

    def bootstrap(self, state: State) -> list[Blob]:
        """Return nothing."""
        return []

    def admit(self, state: State, budgets: Budgets) -> npt.NDArray[np.uint8]:
        """Refuse nobody: what fits is for the phone to say."""
        return np.zeros(budgets.memory_bytes.size, np.uint8)

    def respond(self, state: State, leg: Leg, who: Batch, inbox: Ragged) -> CloudTurn:
        """Fail: a method without down legs is never asked."""
        raise RunError(f"method {self.context.name!r} has no answer for leg {leg.direction} {leg.kind}")

    def learn(self, state: State, reports: Sequence[tuple[Batch, Ragged]]) -> State:
        """Return the state unchanged."""
        return state
