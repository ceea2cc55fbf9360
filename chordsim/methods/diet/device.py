"""Device half of `diet`: read the user, put the mask over the frozen backbone, rank."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from chordsim.arrays import Columns
from chordsim.methods import INVALID, History, Leg, PhoneBatch, Turn
from chordsim.methods.diet import net
from chordsim.methods.diet.spec import masked_cost, stored_bits
from chordsim.quant.budget import refusals
from chordsim.ragged import Ragged
from chordsim.wire.floats import pack_floats
from clients.frozen import load_frozen, load_gains
from clients.half import Device, load_extractor, load_tables, quiet


@dataclass(frozen=True)
class Model:
    """What a phone holds before its first mask: embeddings, extractor, frozen weights [C, K] per layer times their gains."""

    item: Tensor
    position: Tensor
    reader: torch.nn.Module
    frozen: list[Tensor]


class DietDevice(Device):
    """Owns the frozen backbone; a mask tells it which weights to keep."""

    def load(self, blobs_by_label: Mapping[str, bytes]) -> Model:
        """Draw or unpack the backbone, check it, and decode embeddings, extractor and gains.

        Raises:
            BackboneMismatch: The backbone is not the one that the cloud masks.
            BadPayload: A blob is not what this backbone needs.
        """
        s, layers = self.context.settings, self.shapes.layers
        frozen = load_frozen(blobs_by_label, layers, str(s["law"]))
        if s["gains"]:
            frozen = [weight * gains for weight, gains in zip(frozen, load_gains(blobs_by_label, layers), strict=True)]
        reader = load_extractor(blobs_by_label["extractor"], s["extractor"], self.context.backbone.dim, int(s["profile_dim"]))
        return Model(*load_tables(blobs_by_label, self.shapes), reader, frozen)

    def act(self, model: Any, state: Columns, leg: Leg, who: PhoneBatch, history: History, inbox: Ragged) -> Turn:
        """Send the user embedding up; apply the mask that comes down."""
        items = torch.from_numpy(history.items)
        if leg.kind == "profile":
            return quiet(len(who), Ragged.of_matrix(pack_floats(model.reader(items, model.item).numpy()), who.active))
        if leg.kind != "prescription":
            return quiet(len(who))
        masks, sound = net.unpack(inbox, self.shapes)
        weights = net.masked(model.frozen, masks, float(self.context.settings["keep"]))
        states = self.kernels.last_states(items, model.item, model.position, weights, self.context.backbone)
        cost = masked_cost(self.context, len(who))
        refusal = np.where(sound, refusals(cost.peak_memory_bytes, cost.macs, who.budgets), INVALID).astype(np.uint8)
        return Turn(Ragged.empty(len(who)), refusal, cost, np.full(len(who), stored_bits(self.context)), self.score(states, model.item))
