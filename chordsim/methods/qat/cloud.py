"""Cloud half of `qat-k`: trained on from the full-precision reference."""

from __future__ import annotations

from typing import Any

from chordsim.arrays import State
from chordsim.data.split import TrainLogs
from chordsim.methods import Blob
from chordsim.methods.qat.net import Quantized
from chordsim.methods.shipped.cloud import model_blobs
from chordsim.progress import Progress
from server.half import Trained


class QatCloud(Trained):
    """Uniform widths."""

    def network(self) -> Quantized:
        """Return the untrained network."""
        return Quantized(self.shapes, self.context)

    def start(self, network: Any, logs: TrainLogs, progress: Progress) -> frozenset[str]:
        """Start from the trained reference."""
        network.bits.fill_(int(self.context.settings["bits"]))
        return self.start_from_reference(network, logs, progress)

    def bootstrap(self, state: State) -> list[Blob]:
        """Return embeddings and packed weights."""
        return model_blobs(self.shapes, state, int(self.context.settings["bits"]))
