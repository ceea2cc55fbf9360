"""Loss terms beside the cross-entropy: learn from a larger model's scores, and prefer a user's own plan to another user's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from chordsim.nets import backbone
from chordsim.nets.embeddings import look_up
from chordsim.nets.shapes import Shapes


@dataclass(frozen=True)
class Teacher:
    """A trained full-precision model whose scores others learn from.

    Attributes:
        shapes: Its backbone.
        state: As `server.training.dense.Reference` trains it.
    """

    shapes: Shapes
    state: Mapping[str, Tensor]

    @torch.no_grad()
    def log_chances(self, inputs: Tensor, reads: int, places: Tensor) -> Tensor:
        """Return log-probabilities [P, n_items] of the next item.

        Args:
            inputs: Item ids [B, L].
            reads: How many last positions count.
            places: Which of the B * reads positions, [P].
        """
        config = self.shapes.backbone
        first = backbone.embed(inputs, self.state["item"], self.state["position"], config)
        weights = [self.state[f"weights.{n}"] for n in range(len(self.shapes.layers))]
        return log_chances(backbone.forward(inputs, first, weights, config, reads=reads), self.state["item"], places)


def some_places(targets: Tensor, most: int, generator: torch.Generator) -> Tensor:
    """Return up to ``most`` random positions that have targets, as places in the flat [B * n] targets."""
    places = targets.reshape(-1).nonzero().squeeze(1)
    return places[torch.randperm(places.numel(), generator=generator)[:most]]


def log_chances(states: Tensor, item: Tensor, places: Tensor) -> Tensor:
    """Return log-probabilities [P, n_items] at some places of states [B, n, d]."""
    return (states.reshape(-1, states.shape[-1])[places] @ item[1:].T).log_softmax(1)


def divergence(own: Tensor, wanted: Tensor) -> Tensor:
    """Return the mean Kullback-Leibler divergence of own from wanted log-probabilities [P, n_items] (Hinton et al. 2015, T = 1)."""
    return F.kl_div(own, wanted, log_target=True, reduction="batchmean")


def listed_order(states: Tensor, item: Tensor, places: Tensor, listed: Tensor) -> Tensor:
    """Return the mean divergence of scores over lists from their order: listwise, by what stands first (Cao et al. 2007, ListNet).

    An item at place i, from 1, is wanted with a chance that falls as 1 / i (inference: an order has no chances of its own).

    Args:
        states: [B, n, d].
        item: Item embeddings [n_items + 1, d].
        places: Which of the B * n positions, [P].
        listed: Item ids of each window's list, best first, 0 pads at the end, [B, N].
    """
    ids = listed[places // states.shape[1]]
    real = ids > 0
    scores = (look_up(item, ids) @ states.reshape(-1, states.shape[-1])[places].unsqueeze(2)).squeeze(2)
    own = scores.masked_fill(~real, torch.finfo(scores.dtype).min).log_softmax(1)
    wanted = real / torch.arange(1, ids.shape[1] + 1)
    wanted = wanted / wanted.sum(1, keepdim=True).clamp_min(torch.finfo(wanted.dtype).tiny)
    apart = torch.where(real, wanted * (wanted.clamp_min(torch.finfo(wanted.dtype).tiny).log() - own), 0.0)
    return apart.sum(1).mean()


def preference(own: Tensor, other: Tensor, targets: Tensor) -> Tensor:
    """Return the mean softplus of how much likelier targets are under another user's plan than under the own one (inference).

    Args:
        own: Log-probabilities [P, n_items] under the user's own plan.
        other: The same under another user's; no gradient should reach it, or it would learn to be bad.
        targets: Item ids [P], at least 1.
    """
    wanted = targets[:, None] - 1
    return F.softplus(other.gather(1, wanted) - own.gather(1, wanted)).mean()
