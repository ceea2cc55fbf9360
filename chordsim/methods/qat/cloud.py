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
        """Start from the trained reference; learnt steps follow from it, so they count as trained."""
        network.bits.fill_(int(self.context.settings["bits"]))
        started = self.start_from_reference(network, logs, progress)
        network.begin_steps()
        return started | {name for name, _ in network.named_parameters() if name.startswith("steps.")}

    def bootstrap(self, state: State) -> list[Blob]:
        """Return embeddings and packed weights."""
        bits = int(self.context.settings["bits"])
        steps = [state[f"steps.{n}"] for n in range(len(self.shapes.layers))] if "steps.0" in state else None
        return model_blobs(self.shapes, state, bits, steps)
