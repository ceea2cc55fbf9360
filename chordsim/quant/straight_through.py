"""The straight-through step from soft choices to hard, per-user quantized weights; training on the cloud only."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from chordsim.nets.choice import build
from chordsim.nets.layers import Layer
from chordsim.quant.plan import split_channels


class _Build(torch.autograd.Function):
    """Forward: gather rows by hard code. Backward: as if weights were the probability-weighted sum of rows."""

    @staticmethod
    def forward(ctx: Any, chances: Tensor, rows: Tensor, codes: Tensor) -> Tensor:
        """Return weights [D, C, K] from rows [4, C, K] and hard codes [D, C]."""
        ctx.save_for_backward(rows, codes)
        return build(rows, codes)

    @staticmethod
    def backward(ctx: Any, *upstream: Any) -> Any:
        """Send the weights' gradient to the chances of each code and to the rows that were used."""
        rows, codes = ctx.saved_tensors
        # Products of a batch run as one call only where each matrix lies in one piece.
        by_channel = upstream[0].contiguous().transpose(0, 1)
        grad_chances = torch.bmm(rows.transpose(0, 1), by_channel.transpose(1, 2)).permute(1, 2, 0) if ctx.needs_input_grad[0] else None
        grad_rows = None
        if ctx.needs_input_grad[1]:
            used = torch.nn.functional.one_hot(codes, rows.shape[0]).to(rows.dtype)
            grad_rows = torch.bmm(used.permute(1, 2, 0), by_channel).transpose(0, 1)
        return grad_chances, grad_rows, None


def straight_through(chances: Tensor, tables: list[Tensor], codes: Tensor, layers: tuple[Layer, ...]) -> list[Tensor]:
    """Build the weights of D users so that gradients reach the chances and the tables.

    Args:
        chances: Soft choice per channel, [4, D, C]: codes first, along which softmax is an order of magnitude faster.
        tables: Per layer, rows at every code [4, C, K].
        codes: Hard choice, int64 [D, C].
        layers: Shapes, in plan order.
    """
    return [
        _Build.apply(chance, rows, code)  # type: ignore[no-untyped-call]
        for chance, rows, code in zip(split_channels(chances, layers, 2), tables, split_channels(codes, layers, 1), strict=True)
    ]


def straight_through_table(weights: Tensor, table: Tensor) -> Tensor:
    """Return ``table`` [4, C, K] whose gradient passes to ``weights`` [C, K] as if rounding were the identity.

    Rows of pruned channels are zero whatever the weights are, so nothing passes through them.
    """
    alive = (table != 0).any(-1, keepdim=True).to(weights.dtype)
    return table.detach() + (weights - weights.detach()) * alive


def mask_of(scores: Tensor, keep: float) -> Tensor:
    """Return the shared element mask: the top ``keep`` share of each row by score, gradient straight through."""
    count = max(round(scores.shape[1] * keep), 1)
    kept = torch.zeros_like(scores).scatter_(1, scores.topk(count, 1).indices, 1.0)
    # In this order the mask is exactly 0 or 1, as phones have it.
    return kept + (scores - scores.detach())
