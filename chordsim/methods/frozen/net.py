"""The random frozen backbone at one width for every channel, and what is trained over it: embeddings, and gains if asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from chordsim.methods import MethodContext
from chordsim.methods.shipped.spec import activation_bits
from chordsim.nets.backbone import last_states
from chordsim.nets.choice import fed
from chordsim.nets.frozen import draw
from chordsim.nets.recommender import Recommender
from chordsim.nets.shapes import Shapes
from chordsim.nets.windows import Windows
from chordsim.quant.quantizer import quantize


def with_gains(weights: Sequence[Tensor], gains: Sequence[Tensor]) -> list[Tensor]:
    """Return weights [C, K] by layer times learnt scales [C, 1], or as they are where there are none."""
    return [weight * gain for weight, gain in zip(weights, gains, strict=True)] if len(gains) else list(weights)


class Frozen(Recommender):
    """Embeddings before and after weights that nobody trains."""

    def __init__(self, shapes: Shapes, context: MethodContext) -> None:
        # The purpose of plan methods, so that embeddings from scratch start from the same draws.
        super().__init__(shapes, context.seed, "train.plan.init")
        s = context.settings
        self.horizon, self.activation_bits = int(s["horizon"]), activation_bits(context)
        self.frozen = draw(shapes.layers, context.seed, str(s["law"]))
        self.stored = [quantize(weight, int(s["width"])) for weight in self.frozen]
        self.gains = nn.ParameterList(torch.ones(n.channels, 1) for n in shapes.layers if s["gains"])

    def groups(self, lr: float, plan_lr: float) -> list[dict[str, Any]]:
        """Return one group at the rate that plan methods give embeddings and gains."""
        return [{"params": list(self.parameters()), "lr": lr}]

    def states(self, windows: Windows, dropout: float, generator: torch.Generator) -> Tensor:
        """Return final states [B, horizon, d] of a training batch."""
        weights = fed(with_gains(self.stored, list(self.gains)), self.activation_bits)
        return self.run(windows.inputs, weights, dropout, generator)

    def last_states(self, items: Tensor) -> Tensor:
        """Return the last state [B, d] as a phone would compute it."""
        weights = fed(with_gains(self.stored, list(self.gains)), self.activation_bits)
        return last_states(items, self.item_as_shipped(), self.position, weights, self.shapes.backbone)
