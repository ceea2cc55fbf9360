"""Cross-entropy over the whole catalogue, fused with the product that makes its logits, block by block."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

BLOCK_ROWS = 256


class _LinearCrossEntropy(torch.autograd.Function):
    """Computes the loss and both gradients in one pass, so that no [P, n_items] tensor outlives its block."""

    @staticmethod
    def forward(ctx: Any, states: Tensor, table: Tensor, targets: Tensor) -> Tensor:
        """Return the mean loss over P positions."""
        rows = states.shape[0]
        grad_states = torch.empty_like(states)
        grad_table = torch.zeros_like(table)
        total = torch.zeros((), dtype=torch.float64)
        for at in range(0, rows, BLOCK_ROWS):
            block, wanted = states[at : at + BLOCK_ROWS], targets[at : at + BLOCK_ROWS]
            logits = block @ table.T
            logits[:, 0] = -torch.inf
            norm = torch.logsumexp(logits, 1, keepdim=True)
            total += (norm.squeeze(1) - logits.gather(1, wanted[:, None]).squeeze(1)).sum().double()
            grad = torch.sub(logits, norm, out=logits).exp_()
            grad[torch.arange(block.shape[0]), wanted] -= 1.0
            grad_states[at : at + BLOCK_ROWS] = grad @ table
            grad_table.addmm_(grad.T, block)
        ctx.save_for_backward(grad_states, grad_table)
        ctx.rows = rows
        return (total / rows).to(states.dtype)

    @staticmethod
    def backward(ctx: Any, *upstream: Any) -> Any:
        """Scale the gradients that the forward pass left."""
        grad_states, grad_table = ctx.saved_tensors
        scale = upstream[0] / ctx.rows
        return grad_states * scale, grad_table * scale, None


def linear_cross_entropy(states: Tensor, table: Tensor, targets: Tensor) -> Tensor:
    """Return the mean softmax cross-entropy of ``states @ table.T`` against item ids; item 0 is no class.

    Args:
        states: [P, d].
        table: Item embeddings [n_items + 1, d].
        targets: Item ids [P], at least 1.
    """
    loss: Tensor = _LinearCrossEntropy.apply(states, table, targets)  # type: ignore[no-untyped-call]
    return loss
