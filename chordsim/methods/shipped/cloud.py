"""Cloud half of `fp32`, `uniform-k` and `int8`: train once, round if asked, ship in the bootstrap."""

from __future__ import annotations

from torch import Tensor

from chordsim.arrays import State
from chordsim.methods import Blob
from chordsim.nets import blobs
from chordsim.nets.shapes import Shapes
from chordsim.quant.learnt_steps import at_steps
from chordsim.quant.packing import pack_levels
from chordsim.quant.quantizer import levels_and_scales
from server.half import OfReference
from server.item_tables import table_blobs
from server.training import dense


class ShippedCloud(OfReference):
    """One model for everybody."""

    def bootstrap(self, state: State) -> list[Blob]:
        """Return embeddings and weights, the weights packed at the method's width."""
        return model_blobs(self.shapes, state, int(self.context.settings["bits"]))


def model_blobs(shapes: Shapes, state: State, bits: int, steps: list[Tensor] | None = None) -> list[Blob]:
    """Return a trained model as phones download it.

    Args:
        shapes: The backbone.
        state: Holds ``item``, ``position`` and ``weights.N``.
        bits: Width of the stored weights; 32 leaves them alone.
        steps: Scales of channels by layer, [C, 1], where they were learnt; None: those of least squared error.
    """
    stored = {"position": state["position"]}
    for n, weight in enumerate(dense.weights(shapes, state)):
        if bits == 32:
            stored[f"weight.{n}"] = weight
        else:
            levels, scale = levels_and_scales(weight, bits) if steps is None else at_steps(weight, steps[n], bits)
            stored[f"levels.{n}"], stored[f"scale.{n}"] = pack_levels(levels, bits), scale
    return [*table_blobs(shapes, state), Blob("weights", blobs.save(stored))]
