"""Cross-entropy over the whole catalogue, fused with the product that makes its logits, block by block."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor

from chordsim.threads import together

BLOCK_ROWS = 128
#: Larger catalogues take one block at a time: a row of logits for each item is what takes memory.
MOST_ITEMS = 30_000


class _LinearCrossEntropy(torch.autograd.Function):
    """Computes the loss and both gradients in one pass, so that no [P, n_items] tensor outlives its block."""

    @staticmethod
    def forward(ctx: Any, states: Tensor, table: Tensor, targets: Tensor, kind: torch.dtype) -> Tensor:
        """Return the mean loss over P positions; products are in ``kind``, the softmax and all sums over blocks are not."""
        rows = states.shape[0]
        grad_states = torch.empty_like(states)
        grad_table = torch.zeros_like(table)
        total = torch.zeros((), dtype=torch.float64)
        items, users = table.detach().to(kind), states.detach().to(kind)

        def block(at: int) -> tuple[Tensor, Tensor]:
            """Return the loss of a block and what it asks of the table; what it asks of its states is written where it belongs."""
            with torch.no_grad():
                here = users[at : at + BLOCK_ROWS]
                loss, grad = _softmax(here, items, targets[at : at + BLOCK_ROWS, None], states.dtype)
                grad_states[at : at + BLOCK_ROWS] = grad @ items
                return loss, grad.T @ here

        starts = range(0, rows, BLOCK_ROWS)
        # Whoever computes them, blocks are added up in their order, so the sums are the same bits.
        for loss, asked in together([partial(block, at) for at in starts]) if len(table) <= MOST_ITEMS else map(block, starts):
            total += loss
            grad_table += asked
        ctx.save_for_backward(grad_states, grad_table)
        ctx.rows = rows
        return (total / rows).to(states.dtype)

    @staticmethod
    def backward(ctx: Any, *upstream: Any) -> Any:
        """Scale the gradients that the forward pass left."""
        grad_states, grad_table = ctx.saved_tensors
        scale = upstream[0] / ctx.rows
        return grad_states * scale, grad_table * scale, None, None


def _softmax(users: Tensor, items: Tensor, wanted: Tensor, exact: torch.dtype) -> tuple[Tensor, Tensor]:
    """Return the summed loss of a block, float64, and the gradient of its logits, of the type of its factors."""
    logits = (users @ items.T).to(exact)
    logits[:, 0] = -torch.inf
    chosen = logits.gather(1, wanted) - logits.amax(1, keepdim=True)
    grad = torch.softmax(logits, 1)
    # log p of the target, from the softmax of the largest logit: p itself may underflow.
    loss = (grad.amax(1, keepdim=True).log() + chosen).sum().double().neg()
    grad.scatter_add_(1, wanted, torch.full_like(chosen, -1.0))
    return loss, grad.to(users.dtype)


def linear_cross_entropy(states: Tensor, table: Tensor, targets: Tensor, kind: torch.dtype | None = None) -> Tensor:
    """Return the mean softmax cross-entropy of ``states @ table.T`` against item ids; item 0 is no class.

    Args:
        states: [P, d].
        table: Item embeddings [n_items + 1, d].
        targets: Item ids [P], at least 1.
        kind: The type that products are computed in; None for that of ``states``.
    """
    loss: Tensor = _LinearCrossEntropy.apply(states, table, targets, kind or states.dtype)  # type: ignore[no-untyped-call]
    return loss
