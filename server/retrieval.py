"""What the cloud ranks itself: the best items of the full-precision reference for a batch of histories."""

from __future__ import annotations

import numpy as np
import torch

from chordsim.arrays import Ints, State
from chordsim.nets.backbone import last_states
from chordsim.nets.shapes import Shapes
from server.training import dense


def ranked(shapes: Shapes, state: State, history: Ints, length: int) -> Ints:
    """Return the reference's best items [D, length] for histories [D, L], none of them in the history; 0 pads."""
    items = torch.from_numpy(history)
    with torch.inference_mode():
        states = last_states(items, state["item"], state["position"], dense.weights(shapes, state), shapes.backbone)
        scores = states @ state["item"].T
        scores.scatter_(1, items, -torch.inf)
        scores[:, 0] = -torch.inf
        # A stable sort, so that equal scores keep the order of ids whatever the chunk.
        best = torch.sort(scores, dim=1, descending=True, stable=True)
    return np.asarray(torch.where(best.values[:, :length] > -torch.inf, best.indices[:, :length], 0).numpy(), np.int64)
