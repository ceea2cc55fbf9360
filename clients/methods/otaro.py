"""Device half of `otaro`: truncate the shipped mantissas to the widest width that fits this phone, rank."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from chordsim.methods import Batch, Budgets, Columns, Cost, History, Leg, MethodContext, Turn
from chordsim.nets import blobs, embeddings, footprint, sefp
from chordsim.nets.backbone import last_states, position_shape
from chordsim.quant.budget import refusals
from chordsim.ragged import Ints, Ragged
from clients.methods.base import Device, score


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
        self.widths = np.array(sorted(int(w) for w in context.settings["widths"]))

    def load(self, blobs_by_label: Mapping[str, bytes]) -> Model:
        """Decode embeddings, mantissas and exponents.

        Raises:
            BadPayload: A blob is not what this backbone needs.
        """
        config, n_items = self.context.backbone, self.context.n_items
        table = blobs.load(blobs_by_label["embeddings"], {"item": (n_items + 1, config.dim)})
        shapes: dict[str, tuple[int, ...]] = {"position": position_shape(config)}
        for n, layer in enumerate(self.shapes.layers):
            shapes[f"mantissa.{n}"] = (layer.channels, layer.fan_in)
            shapes[f"exponent.{n}"] = (layer.channels, sefp.groups(layer.fan_in))
        stored = blobs.load(blobs_by_label["weights"], shapes)
        tables = [
            torch.stack([sefp.decode(stored[f"mantissa.{n}"], stored[f"exponent.{n}"], int(b)) for b in self.widths])
            for n in range(len(self.shapes.layers))
        ]
        return Model(embeddings.decode(table, "item"), stored["position"], tables)

    def act(self, model: Any, state: Columns, leg: Leg, who: Batch, history: History, inbox: Ragged) -> Turn:
        """Choose a width, truncate, rank."""
        assert who.budgets is not None
        chosen = self.choose(who.budgets)
        items = torch.from_numpy(history.items)
        weights = [table[torch.from_numpy(chosen)] for table in model.tables]
        states = last_states(items, model.item, model.position, weights, self.context.backbone)
        bits = self.widths[chosen]
        cost = self.cost(bits)
        refusal = refusals(cost.peak_memory_bytes, cost.macs, who.budgets)
        return Turn(Ragged.empty(len(who)), refusal, cost, bits.astype(np.float64), score(states, model.item))

    def choose(self, budgets: Budgets) -> Ints:
        """Return the place of the widest width that each phone's memory and bits allow, 0 where none does, [D]."""
        chosen = np.zeros(budgets.memory_bytes.size, np.int64)
        for place, bits in enumerate(self.widths):
            needed = self.cost(np.full(chosen.size, bits)).peak_memory_bytes
            chosen[(needed <= budgets.memory_bytes) & (bits <= budgets.bits)] = place
        return chosen

    def cost(self, bits: Ints) -> Cost:
        """Return what one request takes at these widths [D]; dropped bits are not stored."""
        shapes, rows = self.shapes, bits.size
        exponents = sum(n.channels * sefp.groups(n.fan_in) for n in shapes.layers)
        stored = footprint.packed_bytes(shapes.weights * bits) + exponents
        macs = np.full(rows, footprint.dense_macs(shapes), np.int64)
        bitops = int(footprint.channel_macs(shapes).sum()) * bits * 32 + footprint.fixed_macs(shapes) * 32 * 32
        zero = np.zeros(rows, np.int64)
        adapt = np.full(rows, shapes.weights, np.int64)
        peak = footprint.fixed_bytes(shapes) + stored + footprint.row_buffer_bytes(shapes)
        return Cost(macs, zero, bitops, adapt, peak, footprint.embedding_bytes(shapes) + stored)
