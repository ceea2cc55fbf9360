"""Cross-entropy over the whole catalogue, fused with the product that makes its logits, block by block."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

BLOCK_ROWS = 128


class _LinearCrossEntropy(torch.autograd.Function):
    """Computes the loss and both gradients in one pass, so that no [P, n_items] tensor outlives its block."""

    @staticmethod
    def forward(ctx: Any, states: Tensor, table: Tensor, targets: Tensor, kind: torch.dtype) -> Tensor:
        """Return the mean loss over P positions; products are in ``kind``, the softmax and all sums over blocks are not."""
        rows = states.shape[0]
        grad_states = torch.empty_like(states)
        grad_table = torch.zeros_like(table)
        total = torch.zeros((), dtype=torch.float64)
        items, users = table.to(kind), states.to(kind)
        for at in range(0, rows, BLOCK_ROWS):
            block, wanted = users[at : at + BLOCK_ROWS], targets[at : at + BLOCK_ROWS, None]
            logits = (block @ items.T).to(states.dtype)
            logits[:, 0] = -torch.inf
            chosen = logits.gather(1, wanted) - logits.amax(1, keepdim=True)
            grad = torch.softmax(logits, 1)
            # log p of the target, from the softmax of the largest logit: p itself may underflow.
            total += (grad.amax(1, keepdim=True).log() + chosen).sum().double().neg()
            grad.scatter_add_(1, wanted, torch.full_like(chosen, -1.0))
            grad = grad.to(kind)
            grad_states[at : at + BLOCK_ROWS] = grad @ items
            grad_table += grad.T @ block
        ctx.save_for_backward(grad_states, grad_table)
        ctx.rows = rows
        return (total / rows).to(states.dtype)

    @staticmethod
    def backward(ctx: Any, *upstream: Any) -> Any:
        """Scale the gradients that the forward pass left."""
        grad_states, grad_table = ctx.saved_tensors
        scale = upstream[0] / ctx.rows
        return grad_states * scale, grad_table * scale, None, None


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
