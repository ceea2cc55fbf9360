"""Cloud half of `duet`: a GRU reads the clicks, a hypernetwork writes the head."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from chordsim.arrays import State
from chordsim.data.split import TrainLogs
from chordsim.methods import Batch, Blob, CloudTurn, Leg, MethodContext
from chordsim.methods.duet import net
from chordsim.methods.shipped.cloud import model_blobs
from chordsim.progress import Progress
from chordsim.ragged import Ragged
from chordsim.wire.floats import pack_floats
from chordsim.wire.ids import unpack_ids
from server.half import Trained, answer
from server.training.rounding import WIDTHS


class DuetCloud(Trained):
    """Reads clicks, answers with a head."""

    def __init__(self, context: MethodContext) -> None:
        super().__init__(context)
        #: Item rows as phones hold them, of the trained network whose reader was asked last: one table for all of a model.
        self._rows: tuple[net.Duet, Tensor] | None = None

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
        if self._rows is None or self._rows[0] is not network:
            network.item_widths = state.get(WIDTHS)
            self._rows = (network, network.item_as_shipped())
        clicks, sound = unpack_ids(inbox, network.clicks, self.context.n_items)
        with torch.inference_mode():
            head = network.head(torch.from_numpy(clicks), self._rows[1]).numpy()
        return answer(who, pack_floats(head), sound, network.head_macs())
