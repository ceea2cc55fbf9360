"""Cloud half of `cocorrrec`: train both networks, ship the layer, answer hidden states with a correction."""

from __future__ import annotations

from typing import Any

import torch

from chordsim.arrays import State
from chordsim.data.split import TrainLogs
from chordsim.methods import Batch, Blob, CloudTurn, Leg
from chordsim.methods.cocorrrec import net
from chordsim.nets import blobs
from chordsim.progress import Progress
from chordsim.ragged import Ragged
from chordsim.wire.floats import pack_floats, unpack_floats
from server.half import Trained, answer
from server.item_tables import table_blobs


class CoCorrRecCloud(Trained):
    """Reads hidden states, answers with a correction."""

    def network(self) -> net.CoCorrRec:
        """Return the untrained network."""
        return net.CoCorrRec(self.shapes, self.context)

    def start(self, network: Any, logs: TrainLogs, progress: Progress) -> frozenset[str]:
        """Start the embeddings from the trained reference."""
        return self.start_from_reference(network, logs, progress, "item", "position")

    def bootstrap(self, state: State) -> list[Blob]:
        """Return embeddings and the layer."""
        tables = table_blobs(self.shapes, state, {"position": state["position"]})
        layer = {k.removeprefix("layer."): v for k, v in state.items() if k.startswith("layer.")}
        return [*tables, Blob("layer", blobs.save(layer))]

    def respond(self, state: State, leg: Leg, who: Batch, inbox: Ragged) -> CloudTurn:
        """Turn hidden states into corrections."""
        dim, read = self.context.backbone.dim, net.states_read(self.context.backbone.max_len)
        values, sound = unpack_floats(inbox, read * dim)
        network = self.restored(state)
        with torch.inference_mode():
            made = network.cloud(torch.from_numpy(values).view(-1, read, dim)).numpy()
        return answer(who, pack_floats(made), sound, network.cloud.macs(read))
