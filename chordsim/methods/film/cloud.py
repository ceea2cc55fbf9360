"""Cloud half of `film-192`: a small network turns the user embedding into int8 numbers for the last state."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from chordsim.arrays import State
from chordsim.data.split import TrainLogs
from chordsim.methods import Batch, Blob, CloudTurn, Leg, MethodContext
from chordsim.methods.film import net as film
from chordsim.methods.shipped.cloud import model_blobs
from chordsim.nets import blobs, extractor
from chordsim.nets.draws import draw_parameters
from chordsim.nets.recommender import Dense
from chordsim.nets.shapes import Shapes
from chordsim.nets.windows import Windows
from chordsim.progress import Progress
from chordsim.ragged import Ragged
from chordsim.wire.floats import unpack_floats
from server.half import Trained, answer


class Film(Dense):
    """A trained backbone whose last state a user's numbers modulate."""

    def __init__(self, shapes: Shapes, context: MethodContext) -> None:
        super().__init__(shapes, context.seed)
        s, dim = context.settings, shapes.backbone.dim
        self.horizon, width = int(s["horizon"]), int(s["profile_dim"])
        self.extractor = extractor.build(s["extractor"], dim, width)
        self.writer = nn.Sequential()
        self.writer.add_module("inner", nn.Linear(width, 2 * width))
        self.writer.add_module("relu", nn.ReLU())
        self.writer.add_module("head", nn.Linear(2 * width, 3 * dim))
        draw_parameters(self.extractor, self.generator)
        draw_parameters(self.writer, self.generator)

    def numbers(self, user: Tensor) -> Tensor:
        """Return numbers [B, 3 d] as the wire carries them; gradients pass straight through the rounding."""
        exact = torch.tanh(self.writer(user))
        return film.rounded(exact.detach()) + (exact - exact.detach())

    def states(self, windows: Windows, dropout: float, generator: torch.Generator) -> Tensor:
        """Return final states [B, L, d]; numbers and recent items come from `windows.history` alone."""
        states = super().states(windows, dropout, generator)
        recent = film.recent_mean(windows.history, self.item)
        return film.modulate(states, recent, self.numbers(self.extractor(windows.history, self.item)))

    def last_states(self, items: Tensor) -> Tensor:
        """Return the last state [B, d] under each user's numbers."""
        shipped = self.item_as_shipped()
        return film.modulate(super().last_states(items), film.recent_mean(items, shipped), self.numbers(self.extractor(items, shipped)))


class FilmCloud(Trained):
    """Reads a user embedding, answers with numbers."""

    def network(self) -> Film:
        """Return the untrained network."""
        return Film(self.shapes, self.context)

    def start(self, network: Any, logs: TrainLogs, progress: Progress) -> None:
        """Start the backbone from the trained reference."""
        network.load_state_dict(self.reference(logs, progress), strict=False)

    def bootstrap(self, state: State) -> list[Blob]:
        """Return backbone and extractor."""
        reader = {k.removeprefix("extractor."): v for k, v in state.items() if k.startswith("extractor.")}
        return [*model_blobs(self.shapes, state, 32), Blob("extractor", blobs.save(reader))]

    def respond(self, state: State, leg: Leg, who: Batch, inbox: Ragged) -> CloudTurn:
        """Turn profiles into numbers."""
        user, sound = unpack_floats(inbox, int(self.context.settings["profile_dim"]))
        network = self.restored(state)
        with torch.inference_mode():
            levels = torch.round(network.numbers(torch.from_numpy(user)) * film.LEVELS).to(torch.int8).numpy()
        macs = sum(p.numel() for p in network.writer.parameters() if p.ndim == 2)
        return answer(who, np.ascontiguousarray(levels).view(np.uint8), sound, macs)
