"""What the cloud ranks itself: the best items of the full-precision reference for a batch of histories."""

from __future__ import annotations

import numpy as np
import torch

from chordsim.arrays import Ints, State
from chordsim.nets.backbone import last_states
from chordsim.nets.shapes import Shapes
from server.training import dense

#: Scores that are held at a time: a chunk of users over a large catalogue is ranked in parts.
_SCORES = 1 << 24


def ranked(shapes: Shapes, state: State, history: Ints, length: int) -> Ints:
    """Return the reference's best items [D, length] for histories [D, L], none of them in the history; 0 pads."""
    items = torch.from_numpy(history)
    with torch.inference_mode():
        states = last_states(items, state["item"], state["position"], dense.weights(shapes, state), shapes.backbone)
        rows = max(_SCORES // len(state["item"]), 1)
        parts = [
            _best(states[at : at + rows] @ state["item"].T, items[at : at + rows], length) for at in range(0, max(len(items), 1), rows)
        ]
    return np.asarray(torch.cat(parts).numpy(), np.int64)


def _best(scores: torch.Tensor, had: torch.Tensor, length: int) -> torch.Tensor:
    scores.scatter_(1, had, -torch.inf)
    scores[:, 0] = -torch.inf
    # A stable sort, so that equal scores keep the order of ids whatever the chunk.
    best = torch.sort(scores, dim=1, descending=True, stable=True)
    return torch.where(best.values[:, :length] > -torch.inf, best.indices[:, :length], 0)
