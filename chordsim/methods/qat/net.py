"""A recommender whose channels are rounded in the forward pass, for training."""

from __future__ import annotations

import torch
from torch import Tensor

from chordsim.methods import MethodContext
from chordsim.nets.backbone import last_states
from chordsim.nets.recommender import Dense
from chordsim.nets.shapes import Shapes
from chordsim.nets.windows import Windows
from chordsim.quant.plan import split_channels
from chordsim.quant.quantizer import quantize


class Quantized(Dense):
    """A recommender whose channels are rounded in the forward pass; gradients pass as if they were not."""

    #: Bits of every channel [C]; set by the caller.
    bits: Tensor

    def __init__(self, shapes: Shapes, context: MethodContext) -> None:
        super().__init__(shapes, context.seed)
        self.register_buffer("bits", torch.full((shapes.channels,), 8, dtype=torch.int64))

    def rounded(self) -> list[Tensor]:
        """Return the weights as phones store them."""
        out = []
        for weight, bits in zip(self.weights, split_channels(self.bits, self.shapes.layers), strict=True):
            stored = weight.detach().clone()
            for width in torch.unique(bits).tolist():
                rows = bits == width
                stored[rows] = quantize(stored[rows], int(width))
            # In this order the value is exactly what a phone stores.
            out.append(stored + (weight - weight.detach()))
        return out

    def states(self, windows: Windows, dropout: float, generator: torch.Generator) -> Tensor:
        """Return final states [B, L, d] of a training batch."""
        return self.run(windows.inputs, self.rounded(), dropout, generator)

    def last_states(self, items: Tensor) -> Tensor:
        """Return the last state [B, d] as a phone would compute it."""
        return last_states(items, self.item_as_shipped(), self.position, self.rounded(), self.shapes.backbone)
