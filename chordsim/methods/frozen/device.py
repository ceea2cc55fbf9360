"""Device half of `frozen-k`: draw the backbone, round every channel to one width, rank."""

from __future__ import annotations

import json
from collections.abc import Mapping

from chordsim.methods import Cost, MethodContext
from chordsim.methods.frozen.net import with_gains
from chordsim.methods.frozen.spec import frozen_cost
from chordsim.methods.shipped.device import Model, ShippedDevice
from chordsim.nets import blobs
from chordsim.nets.frozen import draw_checked
from chordsim.quant.quantizer import quantize
from chordsim.wire.errors import BadPayload
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
        try:
            told = json.loads(blobs_by_label["backbone"])
            frozen = draw_checked(layers, int(told["seed"]), str(told["sha256"]), str(s["law"]))
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
            raise BadPayload(f"the backbone blob does not say seed and sha256: {error}") from error
        gains = []
        if s["gains"]:
            stored = blobs.load(blobs_by_label["gains"], {str(n): (layer.channels, 1) for n, layer in enumerate(layers)})
            gains = [stored[str(n)] for n in range(len(layers))]
        item, position = load_tables(blobs_by_label, self.shapes)
        return Model(item, position, with_gains([quantize(weight, self.bits) for weight in frozen], gains))

    def cost(self, rows: int) -> Cost:
        """Return what one request takes, the same on every phone."""
        return frozen_cost(self.context, rows)
