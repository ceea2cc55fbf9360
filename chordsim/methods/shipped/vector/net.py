"""A trained backbone whose inputs a user's vector joins: the extractor's, through a learnt matrix, at every position."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from chordsim.methods import MethodContext
from chordsim.nets import backbone, user_input
from chordsim.nets.recommender import Reading
from chordsim.nets.shapes import Shapes
from chordsim.nets.windows import Windows


class Told(Reading):
    """A backbone with trained weights, an extractor and a matrix."""

    def __init__(self, shapes: Shapes, context: MethodContext) -> None:
        super().__init__(shapes, context.seed, context.settings)
        #: What turns a user embedding into a part of the inputs, [d, profile_dim].
        self.matrix = nn.Parameter(user_input.start(shapes.backbone.dim, int(context.settings["profile_dim"]), self.generator))

    def joined(self, items: Tensor, item_table: Tensor) -> Tensor:
        """Return what joins the inputs of users with these items [B, reach], [B, d]."""
        user: Tensor = self.extractor(items, item_table)
        return user @ self.matrix.T

    def states(self, windows: Windows, dropout: float, generator: torch.Generator) -> Tensor:
        """Return final states [B, horizon, d]; vectors come from `windows.history` alone."""
        return self.run(windows.inputs, list(self.weights), dropout, generator, self.joined(windows.history, self.item))

    def last_states(self, items: Tensor) -> Tensor:
        """Return the last state [B, d] with embeddings as shipped; items are [B, reach]."""
        shipped, window = self.item_as_shipped(), items[:, -self.shapes.backbone.max_len :]
        user = self.joined(items, shipped)
        return backbone.last_states(window, shipped, self.position, list(self.weights), self.shapes.backbone, user)
