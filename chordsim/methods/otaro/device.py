"""Device half of `otaro`: truncate the shipped mantissas to the widest width that fits this phone, rank."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from chordsim.arrays import Columns
from chordsim.methods import History, Leg, MethodContext, PhoneBatch, Turn
from chordsim.methods.otaro import net
from chordsim.methods.otaro.spec import choose, width_cost, widths_of
from chordsim.nets import blobs
from chordsim.nets.backbone import position_shape
from chordsim.quant.budget import refusals
from chordsim.ragged import Ragged
from clients.half import Device, item_table


@dataclass(frozen=True)
class Model:
    """Embeddings, and the weights of every layer at every width [widths, C, K]."""

    item: Tensor
    position: Tensor
    tables: list[Tensor]


class OtaroDevice(Device):
    """One set of bytes, as many widths as it has mantissa bits."""

    def __init__(self, context: MethodContext) -> None:
        super().__init__(context)
        self.widths = widths_of(context)

    def load(self, blobs_by_label: Mapping[str, bytes]) -> Model:
        """Decode embeddings, mantissas and exponents.

        Raises:
            BadPayload: A blob is not what this backbone needs.
        """
        config = self.context.backbone
        item = item_table(blobs_by_label, self.shapes)
        shapes: dict[str, tuple[int, ...]] = {"position": position_shape(config)}
        for n, layer in enumerate(self.shapes.layers):
            shapes[f"mantissa.{n}"] = (layer.channels, layer.fan_in)
            shapes[f"exponent.{n}"] = (layer.channels, net.groups(layer.fan_in))
        stored = blobs.load(blobs_by_label["weights"], shapes)
        tables = [
            torch.stack([net.decode(stored[f"mantissa.{n}"], stored[f"exponent.{n}"], int(b)) for b in self.widths])
            for n in range(len(self.shapes.layers))
        ]
        return Model(item, stored["position"], tables)

    def act(self, model: Any, state: Columns, leg: Leg, who: PhoneBatch, history: History, inbox: Ragged) -> Turn:
        """Choose a width, truncate, rank."""
        chosen = choose(self.context, who.budgets)
        items = torch.from_numpy(history.items)
        weights = [table[torch.from_numpy(chosen)] for table in model.tables]
        states = self.kernels.last_states(items, model.item, model.position, weights, self.context.backbone)
        bits = self.widths[chosen]
        cost = width_cost(self.context, bits)
        refusal = refusals(cost.peak_memory_bytes, cost.macs, who.budgets)
        return Turn(Ragged.empty(len(who)), refusal, cost, bits.astype(np.float64), self.score(states, model.item))
