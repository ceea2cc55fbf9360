"""Device half of `fp32` with ``user_input``: read the user, add its vector to the inputs of the shipped model, rank."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from chordsim.kernels.users import read_users, turned_users
from chordsim.methods import Cost, History
from chordsim.methods.shipped.device import Model, ShippedDevice
from chordsim.methods.shipped.spec import told_cost
from chordsim.nets import user_input
from chordsim.nets.backbone import last_states
from chordsim.runtime.portable import Portable, parts_of
from clients.half import in_blocks, load_extractor


@dataclass(frozen=True)
class Told(Model):
    """A shipped model, its extractor, and the matrix that turns the extractor's vector into a part of the inputs, [d, profile_dim]."""

    reader: torch.nn.Module
    matrix: Tensor


class VectorDevice(ShippedDevice):
    """One model, the same on every phone, that knows whose phone it is on."""

    def load(self, blobs_by_label: Mapping[str, bytes]) -> Told:
        """Decode model, extractor and matrix.

        Raises:
            BadPayload: A blob is not what this backbone needs.
        """
        s, dim = self.context.settings, self.context.backbone.dim
        width = int(s["profile_dim"])
        reader = load_extractor(blobs_by_label["extractor"], s["extractor"], dim, width, s["reads"])
        matrix = user_input.restored(blobs_by_label[user_input.NAME], dim, width)
        return Told(**vars(super().load(blobs_by_label)), reader=reader, matrix=matrix)

    def portable(self, blobs_by_label: Mapping[str, bytes]) -> Portable | None:
        """Return the shipped model, and what joins its inputs."""
        model, parts = self.load(blobs_by_label), parts_of(self.shapes.layers)
        item, position = model.item.numpy(), model.position.numpy()
        weights = [weight.numpy() for weight in model.weights]
        return Portable(item, position, parts, weights=weights, joined=lambda items: self._joined(model, torch.from_numpy(items)).numpy())

    def _joined(self, model: Told, items: Tensor) -> Tensor:
        """Return what joins the backbone's inputs, [D, d], of histories [D, n]; the extractor may read items from beyond the window."""
        if self.kernels.native:
            return turned_users(read_users(model.reader, items, model.item), model.matrix)
        user: Tensor = model.reader(items, model.item) @ model.matrix.T
        return user

    def states(self, model: Any, history: History) -> Tensor:
        """Return the last state [D, d] for each phone."""
        config, items = self.context.backbone, torch.from_numpy(history.items)
        user = self._joined(model, items)
        items = items[:, -config.max_len :]
        if self.kernels.compiles(config):
            return self.kernels.last_states(items, model.item, model.position, model.weights, config, user)

        def last(rows: slice) -> Tensor:
            return last_states(items[rows], model.item, model.position, model.weights, config, user[rows])

        return in_blocks(len(items), last)

    def cost(self, rows: int) -> Cost:
        """Return what one request takes, the same on every phone."""
        return told_cost(self.context, rows)
