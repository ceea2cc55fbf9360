"""Cloud half of `duet`: a GRU reads the clicks, a hypernetwork writes the head."""

from __future__ import annotations

from typing import Any

import torch

from chordsim.arrays import State
from chordsim.data.split import TrainLogs
from chordsim.methods import Batch, Blob, CloudTurn, Leg
from chordsim.methods.duet import net
from chordsim.methods.shipped.cloud import model_blobs
from chordsim.progress import Progress
from chordsim.ragged import Ragged
from chordsim.wire.floats import pack_floats
from chordsim.wire.ids import unpack_ids
from server.half import Trained, answer


class DuetCloud(Trained):
    """Reads clicks, answers with a head."""

    def network(self) -> net.Duet:
        """Return the untrained network."""
        return net.Duet(self.shapes, self.context)

    def start(self, network: Any, logs: TrainLogs, progress: Progress) -> frozenset[str]:
        """Start the backbone from the trained reference."""
        return self.start_from_reference(network, logs, progress)

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
