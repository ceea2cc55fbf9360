"""Cloud half of `diet`: hypernetworks score every weight for a user, filter importances correct, a mask goes down."""

from __future__ import annotations

import json
from typing import Any

import torch

from chordsim.arrays import State
from chordsim.methods import Batch, Blob, CloudTurn, Leg
from chordsim.methods.diet import net
from chordsim.nets import blobs
from chordsim.nets.frozen import fingerprint
from chordsim.ragged import Ragged
from chordsim.wire.floats import unpack_floats
from server.half import Trained, answer
from server.item_tables import table_blobs


class DietCloud(Trained):
    """Reads a user embedding, answers with one bit per weight."""

    def network(self) -> net.Diet:
        """Return the untrained network."""
        return net.Diet(self.shapes, self.context)

    def bootstrap(self, state: State) -> list[Blob]:
        """Return the backbone's seed and fingerprint, embeddings and extractor."""
        c = self.context
        backbone = {"seed": c.seed, "sha256": fingerprint(self.restored(state).frozen)}
        reader = {k.removeprefix("extractor."): v for k, v in state.items() if k.startswith("extractor.")}
        return [
            Blob("backbone", json.dumps(backbone, sort_keys=True).encode()),
            *table_blobs(self.shapes, state, {"position": state["position"]}),
            Blob("extractor", blobs.save(reader)),
        ]

    def respond(self, state: State, leg: Leg, who: Batch, inbox: Ragged) -> CloudTurn:
        """Turn profiles into masks."""
        user, sound = unpack_floats(inbox, int(self.context.settings["profile_dim"]))
        model: Any = self.restored(state)
        with torch.inference_mode():
            payload = net.pack(model.masks(torch.from_numpy(user)))
        return answer(who, payload, sound, model.generator_net.macs())
