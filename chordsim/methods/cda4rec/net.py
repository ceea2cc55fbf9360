"""The small ranker that a CDA4Rec-style phone runs, a GRU over a narrow item table of its own, and how the cloud trains it."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from chordsim import seeds
from chordsim.arrays import Ints
from chordsim.nets.draws import draw_parameters
from chordsim.nets.embeddings import look_up
from chordsim.nets.recommender import EMBEDDING_STD
from chordsim.nets.windows import Windows


class SmallRanker(nn.Module):
    """A GRU whose normed state is compared with item embeddings.

    The norm is a part of the ranker wherever it runs, as in SASRec's head and in `cached`: it takes the mean off a state, which changes
    the order of items, so a ranker that is trained with it ranks with it.
    """

    def __init__(self, n_items: int, width: int) -> None:
        super().__init__()
        self.item = nn.Parameter(torch.zeros(n_items + 1, width))
        self.cell = nn.GRU(width, width, batch_first=True)

    def every_state(self, items: Tensor) -> Tensor:
        """Return the normed state after each position [D, L, width] of item ids [D, L], padded with 0 on the left."""
        states = self.cell(look_up(self.item, items) * self.item.shape[1] ** 0.5)[0]
        return F.layer_norm(states, states.shape[-1:])

    def scores_of(self, items: Tensor, candidates: Tensor) -> Tensor:
        """Return the scores of candidates [D, n] after histories [D, L]."""
        return (self.every_state(items)[:, -1:] @ self.item[candidates].transpose(1, 2)).squeeze(1)


def ranker_size(n_items: int, width: int) -> int:
    """Return the numbers of a ranker."""
    return (n_items + 1) * width + 6 * width * width + 6 * width


def ranker_macs(length: int, width: int, candidates: int) -> int:
    """Return multiply-accumulates of one request."""
    return length * 6 * width * width + candidates * width


def on_phone(lengths: Ints, short_history: int) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """Return who ranks on the phone: the planner's rule, users with enough history [D]."""
    return np.asarray(lengths >= short_history, np.bool_)


class TrainedRanker(SmallRanker):
    """The phone's ranker as the training loop sees it."""

    def __init__(self, n_items: int, width: int, length: int, seed: int) -> None:
        super().__init__(n_items, width)
        self.horizon = length
        generator = seeds.torch_generator(seed, "train.cda4rec.init")
        draw_parameters(self.cell, generator)
        with torch.no_grad():
            self.item.normal_(std=EMBEDDING_STD, generator=generator)
            self.item[0] = 0.0

    def groups(self, lr: float, plan_lr: float) -> list[dict[str, Any]]:
        """Return one group."""
        return [{"params": list(self.parameters()), "lr": lr}]

    def states(self, windows: Windows, dropout: float, generator: torch.Generator) -> Tensor:
        """Return states [B, L, width] of a training batch."""
        return self.every_state(windows.inputs)

    def last_states(self, items: Tensor) -> Tensor:
        """Return the last state [B, width]."""
        return self.every_state(items)[:, -1]

    def item_as_shipped(self) -> Tensor:
        """Return the ranker's own item embeddings, which are shipped as they are."""
        return self.item.detach()
