"""Device half of `static-mixed`: unpack channels of several widths, then rank as any shipped model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from chordsim.arrays import Columns
from chordsim.methods import Cost, History, Leg, PhoneBatch, Turn
from chordsim.methods.shipped.device import Model, ShippedDevice
from chordsim.methods.static_mixed.spec import CODE_BITS, mixed_cost
from chordsim.nets import blobs, footprint
from chordsim.nets.backbone import position_shape
from chordsim.quant.budget import refusals
from chordsim.quant.packing import unpack_levels
from chordsim.quant.plan import split_channels
from chordsim.ragged import Ragged
from chordsim.wire.codes import packed_bytes, unpack_codes
from clients.half import item_table


@dataclass(frozen=True)
class Mixed(Model):
    """A shipped model and the bits of each channel [C]."""

    bits: torch.Tensor


class MixedDevice(ShippedDevice):
    """One model of several widths, the same on every phone."""

    def load(self, blobs_by_label: Mapping[str, bytes]) -> Mixed:
        """Decode embeddings, plan and rows.

        Raises:
            BadPayload: A blob is not what this backbone needs.
        """
        config, layers = self.context.backbone, self.shapes.layers
        item = item_table(blobs_by_label, self.shapes)
        plan = {"codes": (packed_bytes(self.shapes.channels),), "position": position_shape(config)}
        codes = unpack_codes(blobs.load(blobs_by_label["weights"], plan)["codes"].numpy()[None], self.shapes.channels)[0]
        bits = torch.tensor(CODE_BITS)[torch.from_numpy(codes).long()]
        parts = list(zip(layers, split_channels(bits, layers), strict=True))
        shapes: dict[str, tuple[int, ...]] = dict(plan)
        for n, (layer, own) in enumerate(parts):
            for width in torch.unique(own).tolist():
                rows = int((own == width).sum())
                shapes[f"levels.{n}.{width}"] = (rows, -(-layer.fan_in * width // 8))
                shapes[f"scale.{n}.{width}"] = (rows, 1)
        stored = blobs.load(blobs_by_label["weights"], shapes)
        weights = []
        for n, (layer, own) in enumerate(parts):
            weight = torch.zeros(layer.channels, layer.fan_in)
            for width in torch.unique(own).tolist():
                levels = unpack_levels(stored[f"levels.{n}.{width}"], width, layer.fan_in)
                weight[own == width] = levels * stored[f"scale.{n}.{width}"]
            weights.append(weight)
        return Mixed(item, stored["position"], weights, bits)

    def act(self, model: Any, state: Columns, leg: Leg, who: PhoneBatch, history: History, inbox: Ragged) -> Turn:
        """Rank all items for each phone."""
        rows = len(who)
        cost, stored_bits = self.mixed_cost(rows, model.bits.numpy())
        refusal = refusals(cost.peak_memory_bytes, cost.macs, who.budgets)
        return Turn(Ragged.empty(rows), refusal, cost, np.full(rows, stored_bits), self.score(self.states(model, history), model.item))

    def mixed_cost(self, rows: int, bits: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> tuple[Cost, float]:
        """Return the cost of a request and the stored bits per weight, for bits per channel [C]."""
        shapes = self.shapes
        weight_bits = int((footprint.channel_fan_in(shapes) * bits).sum())
        bit_macs = int((footprint.channel_macs(shapes) * bits).sum())
        return mixed_cost(shapes, weight_bits, bit_macs, rows, self.activation_bits), weight_bits / shapes.weights
