"""Item rows of few bits, trained with: a step sees the rows that phones will have, and moves the exact ones.

Gradients pass straight through the rounding, as usual; the clip of every row is searched anew in each step. Whatever reads the table, of
any method, reads the rounded one. Rows of 8 bits and more are rounded after training alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from chordsim.data.split import TrainLogs
from chordsim.nets import by_frequency, embeddings
from chordsim.nets.recommender import Recommender

#: Where a trained state holds the bits of each row, where they differ.
WIDTHS = "trained.widths"


class Rounding:
    """Rounds a model's item table for the length of a step."""

    def __init__(self, model: nn.Module, logs: TrainLogs, begins: int = 0) -> None:
        """Look at how its rows are stored.

        Args:
            model: What is trained; one that is no `Recommender` keeps its rows as they are.
            logs: What the cloud may see: how often items occur.
            begins: Steps that come before the first that sees rounded rows.
        """
        bits: embeddings.Bits = model.shapes.backbone.embedding_bits if isinstance(model, Recommender) else 32
        if isinstance(model, Recommender) and isinstance(bits, str):
            model.item_widths = torch.from_numpy(by_frequency.widths_of(logs.popularity))
        self._begins = begins
        self._model = model if isinstance(model, Recommender) and (isinstance(bits, str) or bits < embeddings.PACKED_BELOW) else None

    @contextmanager
    def in_place(self, steps: int = 0) -> Iterator[None]:
        """Put the rounded rows into the model inside this block, forward and backward, once enough ``steps`` are past."""
        if self._model is None or steps < self._begins:
            yield
            return
        item = self._model.item
        exact = item.detach().clone()
        item.data.copy_(self._model.item_as_shipped())
        try:
            yield
        finally:
            item.data.copy_(exact)

    def notes(self) -> dict[str, Tensor]:
        """Return what the trained state must say of its rows."""
        widths = None if self._model is None else self._model.item_widths
        return {} if widths is None else {WIDTHS: widths}
