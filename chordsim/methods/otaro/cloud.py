"""Cloud half of `otaro`: train one set of weights for every width, ship 8-bit mantissas and shared exponents."""

from __future__ import annotations

from typing import Any

from chordsim.arrays import State
from chordsim.data.split import TrainLogs
from chordsim.methods import Blob
from chordsim.methods.otaro import net
from chordsim.nets import blobs
from chordsim.progress import Progress
from server.half import Trained
from server.item_tables import table_blobs
from server.training import dense
from server.training.validation import Validation


class OtaroCloud(Trained):
    """Ships one model."""

    def network(self) -> net.Otaro:
        """Return the untrained network."""
        return net.Otaro(self.shapes, self.context)

    def start(self, network: Any, logs: TrainLogs, progress: Progress) -> frozenset[str]:
        """Start from the trained reference, and have every width validated by itself."""
        c = self.context
        network.score = Validation.of(logs, c.backbone.max_len, c.training.eval_users, c.seed).ndcg_10
        return self.start_from_reference(network, logs, progress)

    def bootstrap(self, state: State) -> list[Blob]:
        """Return embeddings, mantissas and exponents."""
        stored = {"position": state["position"]}
        for n, weight in enumerate(dense.weights(self.shapes, state)):
            stored[f"mantissa.{n}"], stored[f"exponent.{n}"] = net.encode(weight)
        return [*table_blobs(self.shapes, state), Blob("weights", blobs.save(stored))]
