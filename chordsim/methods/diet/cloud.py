"""Cloud half of `diet`: hypernetworks score every weight for a user, filter importances correct, a mask goes down."""

from __future__ import annotations

import json
from typing import Any

import torch

from chordsim.arrays import State
from chordsim.data.split import TrainLogs
from chordsim.methods import Batch, Blob, CloudTurn, Leg
from chordsim.methods.diet import net
from chordsim.nets import blobs, extractor
from chordsim.nets.frozen import fingerprint
from chordsim.progress import Progress
from chordsim.ragged import Ragged
from chordsim.wire.floats import unpack_floats
from server.half import Trained, answer
from server.item_tables import table_blobs
from server.training import dense


class DietCloud(Trained):
    """Reads a user embedding, answers with one bit per weight."""

    def network(self) -> net.Diet:
        """Return the untrained network."""
        return net.Diet(self.shapes, self.context)

    def recipe(self) -> dict[str, Any]:
        """Return backbone, how it starts, training and settings."""
        return {**super().recipe(), "init": self.context.backbone.init}

    def start(self, network: Any, logs: TrainLogs, progress: Progress) -> frozenset[str]:
        """Take the backbone, or embeddings, from the reference where asked to.

        They count as untrained: under masks that know nothing yet they stand before other weights than they were trained with.
        """
        if network.owned:
            for n, weight in enumerate(dense.weights(self.shapes, self.reference(logs, progress))):
                getattr(network, f"source_{n}").copy_(weight.view_as(network.drawn[n]))
        if network.owned or self.context.settings["start"] == "reference":
            self.start_from_reference(network, logs, progress, "item", "position")
        return frozenset()

    def bootstrap(self, state: State) -> list[Blob]:
        """Return the backbone's seed and fingerprint, or its weights, embeddings, extractor and gains."""
        c, model = self.context, self.restored(state)
        backbone = {"seed": c.seed, "sha256": fingerprint(model.frozen), "shipped": model.owned}
        others = [Blob("weights", blobs.save({str(n): w for n, w in enumerate(model.frozen)}))] if model.owned else []
        if len(model.gains):
            others.append(Blob("gains", blobs.save({str(n): gain.detach() for n, gain in enumerate(model.gains)})))
        return [
            Blob("backbone", json.dumps(backbone, sort_keys=True).encode()),
            *table_blobs(self.shapes, state, {"position": state["position"]}),
            Blob("extractor", blobs.save(extractor.part_of(state))),
            *others,
        ]

    def respond(self, state: State, leg: Leg, who: Batch, inbox: Ragged) -> CloudTurn:
        """Turn profiles into masks."""
        user, sound = unpack_floats(inbox, int(self.context.settings["profile_dim"]))
        model: Any = self.restored(state)
        with torch.inference_mode():
            payload = net.pack(model.masks(torch.from_numpy(user)))
        return answer(who, payload, sound, model.generator_net.macs())
