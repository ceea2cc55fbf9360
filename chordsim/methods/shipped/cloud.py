"""Cloud half of `fp32`, `uniform-k` and `int8`: train once, round if asked, ship in the bootstrap."""

from __future__ import annotations

from typing import Any

from chordsim.arrays import State
from chordsim.data.split import TrainLogs
from chordsim.methods import Blob
from chordsim.nets import blobs
from chordsim.nets.shapes import Shapes
from chordsim.progress import Progress
from chordsim.quant.packing import pack_levels
from chordsim.quant.quantizer import levels_and_scales
from server.half import Cloud
from server.tables import table_blobs
from server.training import dense


class ShippedCloud(Cloud):
    """One model for everybody."""

    def recipe(self) -> dict[str, Any]:
        """Return the recipe of the shared full-precision training."""
        return dense.recipe(super().recipe())

    def train(self, logs: TrainLogs, progress: Progress) -> State:
        """Train the full-precision reference."""
        return dense.train(self.shapes, self.context, logs, progress)

    def bootstrap(self, state: State) -> list[Blob]:
        """Return embeddings and weights, the weights packed at the method's width."""
        return model_blobs(self.shapes, state, int(self.context.settings["bits"]))


def model_blobs(shapes: Shapes, state: State, bits: int) -> list[Blob]:
    """Return a trained model as phones download it.

    Args:
        shapes: The backbone.
        state: Holds ``item``, ``position`` and ``weights.N``.
        bits: Width of the stored weights; 32 leaves them alone.
    """
    stored = {"position": state["position"]}
    for n, weight in enumerate(dense.weights(shapes, state)):
        if bits == 32:
            stored[f"weight.{n}"] = weight
        else:
            levels, scale = levels_and_scales(weight, bits)
            stored[f"levels.{n}"], stored[f"scale.{n}"] = pack_levels(levels, bits), scale
    return [*table_blobs(shapes, state["item"]), Blob("weights", blobs.save(stored))]
