"""Cloud half of `forward-ofa`: one hypernetwork per block writes the blocks that a phone asks for."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from chordsim.arrays import State
from chordsim.data.split import TrainLogs
from chordsim.methods import Batch, Blob, CloudTurn, Leg
from chordsim.methods.forward_ofa import net
from chordsim.nets import blobs, embeddings
from chordsim.progress import Progress
from chordsim.ragged import Ragged
from chordsim.wire.floats import pack_floats, unpack_floats
from chordsim.wire.ids import pack_ids
from server.half import Trained, answer
from server.item_tables import table_blobs
from server.training.rounding import WIDTHS


class ForwardOfaCloud(Trained):
    """Sends candidates, reads structure and interest, answers with kept blocks."""

    def network(self) -> net.ForwardOfa:
        """Return the untrained network."""
        return net.ForwardOfa(self.shapes, self.context)

    def start(self, network: Any, logs: TrainLogs, progress: Progress) -> frozenset[str]:
        """Start the shared part of the weights from the trained reference."""
        return self.start_from_reference(network, logs, progress)

    def train(self, logs: TrainLogs, progress: Progress) -> State:
        """Train, and note the session's candidates: the most popular items of the logs."""
        listed = min(int(self.context.settings["candidates"]), self.context.n_items)
        popular = np.argsort(-logs.popularity[1:], kind="stable")[:listed] + 1
        return {**super().train(logs, progress), "trained.candidates": torch.from_numpy(popular)}

    def bootstrap(self, state: State) -> list[Blob]:
        """Return embeddings and controller."""
        tables = table_blobs(self.shapes, state, {"position": state["position"]})
        controller = {k.removeprefix("controller."): v for k, v in state.items() if k.startswith("controller.")}
        return [*tables, Blob("controller", blobs.save(controller))]

    def respond(self, state: State, leg: Leg, who: Batch, inbox: Ragged) -> CloudTurn:
        """Send the session's candidates, or the blocks that a profile asks for."""
        rows, n_items, config = len(who), self.context.n_items, self.context.backbone
        if leg.kind == "candidates":
            ids = state["trained.candidates"]
            table = embeddings.rounded(state["item"], config.embedding_bits, state.get(WIDTHS))[ids].reshape(1, -1).numpy()
            one = np.concatenate([pack_ids(ids.numpy()[None], n_items), pack_floats(table)], 1)
            return answer(who, np.repeat(one, rows, 0), np.ones(rows, np.bool_), 0)
        flags = net.flag_bytes(config.blocks)
        packed, fits = inbox.matrix(flags + 4 * config.dim)
        kept, clean = net.unpack_kept(packed[:, :flags], config.blocks)
        interest, finite = unpack_floats(Ragged.of_matrix(packed[:, flags:]), config.dim)
        network = self.restored(state)
        with torch.inference_mode():
            layers = network.writer(torch.from_numpy(interest), list(network.weights))
            values = torch.cat([w.flatten(1) for w in layers], 1).view(rows, config.blocks, -1).numpy()
        turn = answer(who, np.zeros((rows, 0), np.uint8), fits & clean & finite, network.writer.macs())
        sent = net.pack_blocks(kept, values).keep(who.active & (turn.refusal == 0))
        return CloudTurn(sent, turn.macs * kept.sum(1) // config.blocks, turn.refusal, turn.binding)
