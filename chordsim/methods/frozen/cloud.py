"""Cloud half of `frozen-k`: train embeddings over the rounded random backbone, ship them with its seed."""

from __future__ import annotations

import json
from typing import Any

from chordsim.arrays import State
from chordsim.data.split import TrainLogs
from chordsim.methods import Blob
from chordsim.methods.frozen.net import Frozen
from chordsim.nets import blobs
from chordsim.nets.frozen import fingerprint
from chordsim.progress import Progress
from server.half import Trained
from server.item_tables import table_blobs


class FrozenCloud(Trained):
    """One random network for everybody."""

    def network(self) -> Frozen:
        """Return the untrained network."""
        return Frozen(self.shapes, self.context)

    def start(self, network: Any, logs: TrainLogs, progress: Progress) -> frozenset[str]:
        """Take embeddings from the reference where asked to; they count as untrained, since they stand before other weights now."""
        if self.context.settings["start"] == "reference":
            self.start_from_reference(network, logs, progress, "item", "position")
        return frozenset()

    def bootstrap(self, state: State) -> list[Blob]:
        """Return the backbone's seed and fingerprint, embeddings and gains."""
        backbone = {"seed": self.context.seed, "sha256": fingerprint(self.restored(state).frozen)}
        parts = [
            Blob("backbone", json.dumps(backbone, sort_keys=True).encode()),
            *table_blobs(self.shapes, state, {"position": state["position"]}),
        ]
        gains = {name.removeprefix("gains."): value for name, value in state.items() if name.startswith("gains.")}
        return [*parts, Blob("gains", blobs.save(gains))] if gains else parts
