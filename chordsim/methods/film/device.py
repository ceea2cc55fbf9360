"""Device half of `film-192`: read the user, run the shipped model, modulate its last state, rank."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from chordsim.arrays import Columns
from chordsim.methods import INVALID, Cost, History, Leg, PhoneBatch, Turn
from chordsim.methods.film import net
from chordsim.methods.film.spec import film_cost
from chordsim.methods.shipped.device import Model, ShippedDevice
from chordsim.quant.budget import refusals
from chordsim.ragged import Ragged
from chordsim.wire.floats import pack_floats
from clients.half import load_extractor, quiet


@dataclass(frozen=True)
class Read(Model):
    """A shipped model and its extractor."""

    reader: torch.nn.Module


class FilmDevice(ShippedDevice):
    """A full-precision model that a few bytes make the user's own."""

    def load(self, blobs_by_label: Mapping[str, bytes]) -> Read:
        """Decode model and extractor.

        Raises:
            BadPayload: A blob is not what this backbone needs.
        """
        base, s = super().load(blobs_by_label), self.context.settings
        dim, width = self.context.backbone.dim, int(s["profile_dim"])
        reader = load_extractor(blobs_by_label["extractor"], s["extractor"], dim, width, s["reads"])
        return Read(base.item, base.position, base.weights, reader)

    def act(self, model: Any, state: Columns, leg: Leg, who: PhoneBatch, history: History, inbox: Ragged) -> Turn:
        """Send the user embedding; apply the numbers that come down."""
        rows, items = len(who), torch.from_numpy(history.items)
        if leg.kind == "profile":
            return quiet(rows, Ragged.of_matrix(pack_floats(model.reader(items, model.item).numpy()), who.active))
        if leg.kind != "prescription":
            return quiet(rows)
        packed, sound = inbox.matrix(3 * self.context.backbone.dim)
        numbers = torch.from_numpy(packed.view(np.int8).astype(np.float32)) / net.LEVELS
        window = History(history.items[:, -self.context.backbone.max_len :], history.lengths)
        states = net.modulate(self.states(model, window), net.recent_mean(items, model.item), numbers)
        cost = self.cost(rows)
        refusal = np.where(sound, refusals(cost.peak_memory_bytes, cost.macs, who.budgets), INVALID).astype(np.uint8)
        return Turn(Ragged.empty(rows), refusal, cost, np.full(rows, 32.0), self.score(states, model.item))

    def cost(self, rows: int) -> Cost:
        """Return what one request takes, the same on every phone."""
        return film_cost(self.context, rows)
