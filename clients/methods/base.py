"""What the shipped device halves share: turns that rank, turns that say nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from chordsim.methods import Cost, MethodContext, Turn
from chordsim.nets.shapes import shapes_of
from chordsim.ragged import Ragged


class Device:
    """Base of the shipped device halves; a third party may use it or write its own."""

    def __init__(self, context: MethodContext) -> None:
        self.context = context
        self.shapes = shapes_of(context.backbone, context.n_items)

    def load(self, blobs_by_label: Mapping[str, bytes]) -> Any:
        """Return nothing: this method has no bootstrap."""
        return None


def quiet(rows: int, outbox: Ragged | None = None, cost: Cost | None = None) -> Turn:
    """Return a turn in which nothing was ranked and nobody refused."""
    none = np.zeros(rows, np.uint8)
    return Turn(outbox or Ragged.empty(rows), none, cost or Cost.zero(rows), np.full(rows, np.nan))


def score(states: torch.Tensor, item_table: torch.Tensor) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Return the scores of all items, float32 [D, n_items + 1]."""
    return (states @ item_table.T).numpy()
