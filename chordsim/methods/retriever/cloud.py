"""Cloud half of `retriever`: nothing to train and nothing to send; the protocol lists."""

from __future__ import annotations

from typing import Any

import torch

from chordsim.arrays import State
from chordsim.data.split import TrainLogs
from chordsim.progress import Progress
from server.half import Cloud


class RetrieverCloud(Cloud):
    """Without a state of its own."""

    def recipe(self) -> dict[str, Any]:
        """Return that nothing matters."""
        return {"trainer": type(self).__name__}

    def train(self, logs: TrainLogs, progress: Progress) -> State:
        """Return a state that says nothing."""
        return {"none": torch.zeros(1)}
