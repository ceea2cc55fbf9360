"""What the cloud ranks itself: the best items of the full-precision reference for a batch of histories."""

from __future__ import annotations

from collections.abc import MutableMapping

import numpy as np
import torch
from torch.utils.weak import WeakIdKeyDictionary

from chordsim.arrays import Ints, State
from chordsim.nets import embeddings
from chordsim.nets.backbone import last_states
from chordsim.nets.shapes import Shapes
from server.training import dense
from server.training.rounding import WIDTHS

#: Scores that are held at a time: a chunk of users over a large catalogue is ranked in parts.
_SCORES = 1 << 24
#: Tables of few bits, rounded once.
_rounded: MutableMapping[torch.Tensor, torch.Tensor] = WeakIdKeyDictionary()


def to_rank(reference: State) -> State:
    """Return a trained reference without its notes on training, but with the widths of its rows, without which none is rounded."""
    return {name: value for name, value in reference.items() if name == WIDTHS or not name.startswith("trained.")}


def ranked(shapes: Shapes, state: State, history: Ints, length: int, repeats: bool) -> Ints:
    """Return the reference's best items [D, length] for histories [D, L], those in the history only where ``repeats``; 0 pads."""
    items = torch.from_numpy(history)
    with torch.inference_mode():
        table = as_trained(shapes, state)
        states = last_states(items, table, state["position"], dense.weights(shapes, state), shapes.backbone)
        rows = max(_SCORES // len(table), 1)
        parts = [
            _best(states[at : at + rows] @ table.T, None if repeats else items[at : at + rows], length)
            for at in range(0, max(len(items), 1), rows)
        ]
    return np.asarray(torch.cat(parts).numpy(), np.int64)


def order_of(shapes: Shapes, state: State, history: Ints, listed: Ints) -> Ints:
    """Return in which order the reference puts what was listed: places in the list, from 1, the best first; 0 pads at the end.

    Args:
        shapes: The backbone.
        state: The trained reference.
        history: What it reads, [D, L], 0 pads on the left.
        listed: Distinct item ids [D, N], 0 pads at the end.
    """
    items, asked = torch.from_numpy(history), torch.from_numpy(listed)
    with torch.inference_mode():
        table = as_trained(shapes, state)
        states = last_states(items, table, state["position"], dense.weights(shapes, state), shapes.backbone)
        scores = torch.bmm(table[asked], states.unsqueeze(2)).squeeze(2).masked_fill(asked == 0, -torch.inf)
        # A stable sort, so that equal scores keep the order of the list.
        best = torch.sort(scores, dim=1, descending=True, stable=True)
        return np.asarray(torch.where(best.values > -torch.inf, best.indices + 1, 0).numpy(), np.int64)


def as_trained(shapes: Shapes, state: State) -> torch.Tensor:
    """Return the item table that training saw: rounded where it was trained with the rounding, else as it is."""
    bits, exact = shapes.backbone.embedding_bits, state["item"]
    if not isinstance(bits, str) and bits >= embeddings.PACKED_BELOW:
        return exact
    if exact not in _rounded:
        _rounded[exact] = embeddings.rounded(exact, bits, state.get(WIDTHS))
    return _rounded[exact]


def _best(scores: torch.Tensor, had: torch.Tensor | None, length: int) -> torch.Tensor:
    if had is not None:
        scores.scatter_(1, had, -torch.inf)
    scores[:, 0] = -torch.inf
    # A stable sort, so that equal scores keep the order of ids whatever the chunk.
    best = torch.sort(scores, dim=1, descending=True, stable=True)
    return torch.where(best.values[:, :length] > -torch.inf, best.indices[:, :length], 0)
