"""Cloud half of `film-192`: a small network turns the user embedding into int8 numbers for the last state."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from chordsim.arrays import State
from chordsim.data.split import TrainLogs
from chordsim.methods import Batch, Blob, CloudTurn, Leg
from chordsim.methods.film import net
from chordsim.methods.shipped.cloud import model_blobs
from chordsim.nets import blobs, extractor
from chordsim.progress import Progress
from chordsim.ragged import Ragged
from chordsim.wire.floats import unpack_floats
from server.half import Trained, answer


class FilmCloud(Trained):
    """Reads a user embedding, answers with numbers."""

    def network(self) -> net.Film:
        """Return the untrained network."""
        return net.Film(self.shapes, self.context)

    def start(self, network: Any, logs: TrainLogs, progress: Progress) -> frozenset[str]:
        """Start the backbone from the trained reference."""
        return self.start_from_reference(network, logs, progress)

    def bootstrap(self, state: State) -> list[Blob]:
        """Return backbone and extractor."""
        return [*model_blobs(self.shapes, state, 32), Blob("extractor", blobs.save(extractor.part_of(state)))]

    def respond(self, state: State, leg: Leg, who: Batch, inbox: Ragged) -> CloudTurn:
        """Turn profiles into numbers."""
        user, sound = unpack_floats(inbox, int(self.context.settings["profile_dim"]))
        network = self.restored(state)
        with torch.inference_mode():
            levels = torch.round(network.numbers(torch.from_numpy(user)) * net.LEVELS).to(torch.int8).numpy()
        macs = sum(p.numel() for p in network.writer.parameters() if p.ndim == 2)
        return answer(who, np.ascontiguousarray(levels).view(np.uint8), sound, macs)
