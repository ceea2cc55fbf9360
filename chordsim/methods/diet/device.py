"""Device half of `diet`: read the user, put the mask over the frozen backbone, rank."""

from __future__ import annotations

import json
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
from chordsim.nets import blobs
from chordsim.nets.frozen import draw_checked, fingerprint
from chordsim.quant.budget import refusals
from chordsim.ragged import Ragged
from chordsim.wire.errors import BadPayload
from chordsim.wire.floats import pack_floats
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
        s, frozen = self.context.settings, self._frozen(blobs_by_label)
        if s["gains"]:
            columns = {str(n): (layer.channels, 1) for n, layer in enumerate(self.shapes.layers)}
            gains = blobs.load(blobs_by_label["gains"], columns)
            frozen = [weight * gains[str(n)] for n, weight in enumerate(frozen)]
        reader = load_extractor(blobs_by_label["extractor"], s["extractor"], self.context.backbone.dim, int(s["profile_dim"]))
        return Model(*load_tables(blobs_by_label, self.shapes), reader, frozen)

    def _frozen(self, blobs_by_label: Mapping[str, bytes]) -> list[Tensor]:
        try:
            told = json.loads(blobs_by_label["backbone"])
            seed, expected, shipped = int(told["seed"]), str(told["sha256"]), bool(told["shipped"])
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
            raise BadPayload(f"the backbone blob does not say seed and sha256: {error}") from error
        if not shipped:
            return draw_checked(self.shapes.layers, seed, expected, str(self.context.settings["law"]))
        sizes = {str(n): (layer.channels, layer.fan_in) for n, layer in enumerate(self.shapes.layers)}
        stored = blobs.load(blobs_by_label["weights"], sizes)
        weights = [stored[str(n)] for n in range(len(sizes))]
        if fingerprint(weights) != expected:
            raise BadPayload("the shipped backbone does not match its fingerprint")
        return weights

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
