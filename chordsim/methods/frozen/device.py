"""Device half of `frozen-k`: draw the backbone, round every channel to one width, rank."""

from __future__ import annotations

from collections.abc import Mapping

from chordsim.methods import Cost, MethodContext
from chordsim.methods.frozen.net import with_gains
from chordsim.methods.frozen.spec import frozen_cost
from chordsim.methods.shipped.device import Model, ShippedDevice
from chordsim.quant.quantizer import quantize
from clients.frozen import load_frozen, load_gains
from clients.half import load_tables


class FrozenDevice(ShippedDevice):
    """Owns the same random network as every other phone."""

    def __init__(self, context: MethodContext) -> None:
        super().__init__(context)
        self.bits = int(context.settings["width"])

    def load(self, blobs_by_label: Mapping[str, bytes]) -> Model:
        """Draw the backbone, check and round it, and decode embeddings and gains.

        Raises:
            BackboneMismatch: The backbone is not the one that embeddings were trained over.
            BadPayload: A blob is not what this backbone needs.
        """
        layers, s = self.shapes.layers, self.context.settings
        frozen = load_frozen(blobs_by_label, layers, str(s["law"]), drawn=True)
        gains = load_gains(blobs_by_label, layers) if s["gains"] else []
        item, position = load_tables(blobs_by_label, self.shapes)
        return Model(item, position, with_gains([quantize(weight, self.bits) for weight in frozen], gains))

    def cost(self, rows: int) -> Cost:
        """Return what one request takes, the same on every phone."""
        return frozen_cost(self.context, rows)
