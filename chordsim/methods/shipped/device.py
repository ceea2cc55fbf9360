"""Device half of `fp32` and `uniform-k`: unpack the shipped model, rank, or refuse what does not fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from chordsim.arrays import Columns
from chordsim.methods import Cost, History, Leg, MethodContext, PhoneBatch, Turn
from chordsim.methods.shipped.spec import activation_bits
from chordsim.nets import blobs
from chordsim.nets.backbone import last_states, position_shape
from chordsim.nets.choice import fed
from chordsim.quant.budget import refusals
from chordsim.quant.costs import shipped_cost
from chordsim.quant.packing import unpack_levels
from chordsim.ragged import Ragged
from chordsim.runtime.portable import Portable, parts_of
from chordsim.runtime.reference.steps import Packed
from clients.half import Device, in_blocks, item_table


@dataclass(frozen=True)
class Model:
    """What a phone holds: embeddings and one weight per layer, dequantized."""

    item: Tensor
    position: Tensor
    weights: list[Tensor]


class ShippedDevice(Device):
    """One model, the same on every phone."""

    def __init__(self, context: MethodContext) -> None:
        super().__init__(context)
        self.bits = int(context.settings.get("bits", 32))
        self.activation_bits = activation_bits(context)

    def load(self, blobs_by_label: Mapping[str, bytes]) -> Model:
        """Decode embeddings and weights.

        Raises:
            BadPayload: A blob is not what this backbone needs.
        """
        config = self.context.backbone
        item = item_table(blobs_by_label, self.shapes)
        shapes: dict[str, tuple[int, ...]] = {"position": position_shape(config)}
        for n, layer in enumerate(self.shapes.layers):
            if self.bits == 32:
                shapes[f"weight.{n}"] = (layer.channels, layer.fan_in)
            else:
                shapes[f"levels.{n}"] = (layer.channels, -(-layer.fan_in * self.bits // 8))
                shapes[f"scale.{n}"] = (layer.channels, 1)
        stored = blobs.load(blobs_by_label["weights"], shapes)
        if self.bits == 32:
            weights = [stored[f"weight.{n}"] for n in range(len(self.shapes.layers))]
        else:
            weights = [
                unpack_levels(stored[f"levels.{n}"], self.bits, layer.fan_in) * stored[f"scale.{n}"]
                for n, layer in enumerate(self.shapes.layers)
            ]
        return Model(item, stored["position"], weights)

    def portable(self, blobs_by_label: Mapping[str, bytes]) -> Portable | None:
        """Return the shipped model; halves that build upon this one do more with it, so for them there is none."""
        if type(self) is not ShippedDevice or self.activation_bits < 32:
            return None
        model, parts = self.load(blobs_by_label), parts_of(self.shapes.layers)
        item, position = model.item.numpy(), model.position.numpy()
        if self.bits == 32:
            return Portable(item, position, parts, weights=[weight.numpy() for weight in model.weights])
        stored = blobs.load(blobs_by_label["weights"], {})
        numbers = range(len(parts))
        levels = np.concatenate([stored[f"levels.{n}"].numpy().reshape(-1) for n in numbers])
        scales = np.concatenate([stored[f"scale.{n}"].numpy()[:, 0] for n in numbers])
        return Portable(item, position, parts, packed=Packed(np.full(scales.size, self.bits, np.uint8), levels, scales))

    def act(self, model: Any, state: Columns, leg: Leg, who: PhoneBatch, history: History, inbox: Ragged) -> Turn:
        """Rank all items for each phone."""
        rows = len(who)
        # Where weights are each phone's own, so are states.
        alike = self.alike(history.items) if all(weight.ndim == 2 for weight in model.weights) else None
        met = history if alike is None else History(history.items[alike[0]], history.lengths[alike[0]])
        scores = self.score(self.states(model, met), model.item, alike and alike[1])
        cost = self.cost(rows)
        refusal = refusals(cost.peak_memory_bytes, cost.macs, who.budgets)
        return Turn(Ragged.empty(rows), refusal, cost, np.full(rows, float(self.bits)), scores)

    def states(self, model: Model, history: History) -> Tensor:
        """Return the last state [D, d] of the model for each phone; its weights are shared [C, K] or each phone's own [D, C, K]."""
        items, config = torch.from_numpy(history.items), self.context.backbone
        if self.activation_bits == 32 and self.kernels.compiles(config):
            return self.kernels.last_states(items, model.item, model.position, model.weights, config)

        def last(rows: slice) -> Tensor:
            weights = [weight if weight.ndim == 2 else weight[rows] for weight in model.weights]
            return last_states(items[rows], model.item, model.position, fed(weights, self.activation_bits), config)

        return in_blocks(len(items), last)

    def cost(self, rows: int) -> Cost:
        """Return what one request takes, the same on every phone."""
        return shipped_cost(self.shapes, self.bits, rows, self.activation_bits)
