"""How a training went: its loss, its validations and what models tell of themselves there, kept with the trained state."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from chordsim.nets.recommender import Watched

#: What a trained state holds of its training begins so; the rest of a name is what it is.
PREFIX = "trained.curve."
#: And what it holds of a method's levels of importance: `layer` [L], `filter` [C], and `element.N` [C, K] of each layer.
IMPORTANCE = "trained.importance."


class Curve:
    """Collects a line for every validation; what it holds is part of the checkpoint, so that a training that was cut tells the same."""

    def __init__(self) -> None:
        self._lines: dict[str, list[Tensor]] = {}
        self._losses: list[float] = []

    def step(self, loss: float) -> None:
        """Take in the loss of a step."""
        self._losses.append(loss)

    def validated(self, step: int, score: float, model: nn.Module) -> None:
        """Add a line: the mean loss since the one before, the validation NDCG@10, and what the model saw meanwhile."""
        told = {"step": torch.tensor(step), "loss": _mean(self._losses), "validation_ndcg_10": torch.tensor(score, dtype=torch.float64)}
        told |= model.watched() if isinstance(model, Watched) else {}
        for name, value in told.items():
            self._lines.setdefault(name, []).append(value)
        self._losses = []

    def state(self) -> dict[str, Tensor]:
        """Return the lines so far, each name's values stacked, [V, ...]."""
        return {name: torch.stack(values) for name, values in self._lines.items()}

    def load(self, state: dict[str, Tensor]) -> None:
        """Go on from these lines."""
        self._lines, self._losses = {name: list(values) for name, values in state.items()}, []

    def notes(self) -> dict[str, Tensor]:
        """Return the lines as a trained state keeps them."""
        return {f"{PREFIX}{name}": values for name, values in self.state().items()}


def _mean(losses: list[float]) -> Tensor:
    return torch.tensor(sum(losses) / max(len(losses), 1), dtype=torch.float64)
