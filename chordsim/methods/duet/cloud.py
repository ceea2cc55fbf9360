"""Cloud half of `duet`: a GRU reads the clicks, a hypernetwork writes the head."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from chordsim.arrays import State
from chordsim.data.split import TrainLogs
from chordsim.methods import Batch, Blob, CloudTurn, Leg, MethodContext
from chordsim.methods.duet import net as duet
from chordsim.methods.shipped.cloud import model_blobs
from chordsim.nets.draws import draw_parameters
from chordsim.nets.extractor import Gru
from chordsim.nets.recommender import Dense
from chordsim.nets.shapes import Shapes
from chordsim.nets.windows import Windows
from chordsim.progress import Progress
from chordsim.ragged import Ragged
from chordsim.wire.floats import pack_floats
from chordsim.wire.ids import unpack_ids
from server.half import Trained, answer


class Duet(Dense):
    """A trained backbone, and a head that a hypernetwork generates from the clicks before the targets."""

    def __init__(self, shapes: Shapes, context: MethodContext) -> None:
        super().__init__(shapes, context.seed)
        dim = shapes.backbone.dim
        self.horizon, self.clicks = int(context.settings["horizon"]), int(context.settings["clicks"])
        self.reader, self.trunk = Gru(dim, dim), nn.Sequential(nn.Linear(dim, dim), nn.ReLU(), nn.Linear(dim, dim))
        self.writer = nn.ModuleDict({"head": nn.Linear(dim, duet.head_numbers(dim))})
        for part in (self.reader, self.trunk, self.writer):
            draw_parameters(part, self.generator)

    def head(self, clicks: Tensor) -> Tensor:
        """Return each user's head [B, numbers] from item ids [B, n], padded with 0 on the left."""
        z = self.trunk(self.reader(clicks[:, -self.clicks :], self.item))
        dim = self.shapes.backbone.dim
        numbers: Tensor = self.writer["head"](F.layer_norm(z, (dim,)))
        scaled: Tensor = numbers * dim**-0.5
        return scaled

    def states(self, windows: Windows, dropout: float, generator: torch.Generator) -> Tensor:
        """Return final states [B, L, d]; heads come from `windows.history` alone."""
        return duet.apply(super().states(windows, dropout, generator), self.head(windows.history))

    def last_states(self, items: Tensor) -> Tensor:
        """Return the last state [B, d] under each user's own head."""
        return duet.apply(super().last_states(items), self.head(items))

    def head_macs(self) -> int:
        """Multiply-accumulates of one head."""
        dense = sum(p.numel() for part in (self.trunk, self.writer) for p in part.parameters() if p.ndim == 2)
        return dense + self.reader.macs()


class DuetCloud(Trained):
    """Reads clicks, answers with a head."""

    def network(self) -> Duet:
        """Return the untrained network."""
        return Duet(self.shapes, self.context)

    def start(self, network: Any, logs: TrainLogs, progress: Progress) -> None:
        """Start the backbone from the trained reference."""
        network.load_state_dict(self.reference(logs, progress), strict=False)

    def bootstrap(self, state: State) -> list[Blob]:
        """Return the static backbone."""
        return model_blobs(self.shapes, state, 32)

    def respond(self, state: State, leg: Leg, who: Batch, inbox: Ragged) -> CloudTurn:
        """Turn clicks into heads."""
        network = self.restored(state)
        clicks, sound = unpack_ids(inbox, network.clicks, self.context.n_items)
        with torch.inference_mode():
            head = network.head(torch.from_numpy(clicks)).numpy()
        return answer(who, pack_floats(head), sound, network.head_macs())
