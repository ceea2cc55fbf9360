"""Cloud half of `fp32` with ``user_input``: train backbone, extractor and matrix from the reference on, ship them once."""

from __future__ import annotations

from typing import Any

from chordsim.arrays import State
from chordsim.data.split import TrainLogs
from chordsim.methods import Blob
from chordsim.methods.shipped.cloud import model_blobs
from chordsim.methods.shipped.vector import net
from chordsim.nets import blobs, extractor, user_input
from chordsim.progress import Progress
from server.half import Trained


class VectorCloud(Trained):
    """One model for everybody, told its user on the phone."""

    def network(self) -> net.Told:
        """Return the untrained network."""
        return net.Told(self.shapes, self.context)

    def start(self, network: Any, logs: TrainLogs, progress: Progress) -> frozenset[str]:
        """Start the backbone from the trained reference."""
        return self.start_from_reference(network, logs, progress)

    def bootstrap(self, state: State) -> list[Blob]:
        """Return backbone, extractor and matrix."""
        told = blobs.save(user_input.encode(state["matrix"], 32))
        return [*model_blobs(self.shapes, state, 32), Blob("extractor", blobs.save(extractor.part_of(state))), Blob(user_input.NAME, told)]
