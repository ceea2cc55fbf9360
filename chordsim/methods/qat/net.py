"""A recommender whose channels are rounded in the forward pass, for training."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from chordsim.methods import MethodContext
from chordsim.methods.shipped.spec import activation_bits
from chordsim.nets.backbone import last_states
from chordsim.nets.choice import fed
from chordsim.nets.recommender import Dense
from chordsim.nets.shapes import Shapes
from chordsim.nets.windows import Windows
from chordsim.quant.learnt_steps import learnt
from chordsim.quant.plan import split_channels
from chordsim.quant.quantizer import levels_and_scales, quantize


class Quantized(Dense):
    """A recommender whose channels are rounded in the forward pass; gradients pass as if they were not."""

    #: Bits of every channel [C]; set by the caller.
    bits: Tensor

    def __init__(self, shapes: Shapes, context: MethodContext) -> None:
        super().__init__(shapes, context.seed)
        self.register_buffer("bits", torch.full((shapes.channels,), 8, dtype=torch.int64))
        self.activation_bits = activation_bits(context)
        moves = context.settings.get("steps") == "learnt"
        #: Learnt scales of channels by layer, [C, 1]; none where they follow from the weights. One width for all channels.
        self.steps = nn.ParameterList(torch.ones(n.channels, 1) for n in shapes.layers if moves)

    def begin_steps(self) -> None:
        """Put learnt steps where the squared error of rounding is least."""
        with torch.no_grad():
            for step, weight in zip(self.steps, self.weights, strict=False):
                step.copy_(levels_and_scales(weight, int(self.bits[0]))[1])

    def rounded(self) -> list[Tensor]:
        """Return the weights as phones store them."""
        if len(self.steps):
            return [learnt(weight, step, int(self.bits[0])) for weight, step in zip(self.weights, self.steps, strict=True)]
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
        return self.run(windows.inputs, fed(self.rounded(), self.activation_bits), dropout, generator)

    def last_states(self, items: Tensor) -> Tensor:
        """Return the last state [B, d] as a phone would compute it."""
        weights = fed(self.rounded(), self.activation_bits)
        return last_states(items, self.item_as_shipped(), self.position, weights, self.shapes.backbone)
