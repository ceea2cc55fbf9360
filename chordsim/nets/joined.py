"""A second loss term beside the recommender's: joined to the states that the training loop scores."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class _Join(torch.autograd.Function):
    """Forward: the states. Backward: their gradient, and one for the term, as if it were added to the loss."""

    @staticmethod
    def forward(ctx: Any, states: Tensor, term: Tensor) -> Tensor:
        """Return the states unchanged."""
        ctx.like = term.detach()
        return states.view_as(states)

    @staticmethod
    def backward(ctx: Any, *upstream: Any) -> Any:
        """Pass the states' gradient on and start the term's at 1."""
        return upstream[0], torch.ones_like(ctx.like)


def join(states: Tensor, term: Tensor) -> Tensor:
    """Return ``states`` so that whatever loss they end in gains ``term``.

    Args:
        states: [B, L, d].
        term: Scalar; its gradient is 1 however often the states are read.
    """
    joined: Tensor = _Join.apply(states, term)  # type: ignore[no-untyped-call]
    return joined
