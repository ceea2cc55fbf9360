"""The straight-through step from soft choices to hard, per-user quantized weights; training on the cloud only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from chordsim.nets.choice import FEW, Choice, build, whole
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
        return *_passed_on(upstream[0].contiguous(), rows, codes, ctx.needs_input_grad[0], ctx.needs_input_grad[1]), None


class _Product(torch.autograd.Function):
    """The products of weights that `_Build` would build, with its gradients, and without its detours through memory."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, chances: Tensor, rows: Tensor, codes: Tensor) -> Tensor:
        """Return x [D, n, K] times each user's own weights, [D, n, C]."""
        weights = build(rows, codes)
        ctx.save_for_backward(x, rows, codes, weights)
        return torch.bmm(x, weights.transpose(1, 2))

    @staticmethod
    def backward(ctx: Any, *upstream: Any) -> Any:
        """Return the gradients of activations, of the chances of each code, and of the rows that were used."""
        x, rows, codes, weights = ctx.saved_tensors
        given = upstream[0].contiguous()
        of_weights = torch.bmm(given.transpose(1, 2), x)
        of_chances, of_rows = _passed_on(of_weights, rows, codes, ctx.needs_input_grad[1], ctx.needs_input_grad[2])
        return torch.bmm(given, weights) if ctx.needs_input_grad[0] else None, of_chances, of_rows, None


def _passed_on(of_weights: Tensor, rows: Tensor, codes: Tensor, chances: bool, used: bool) -> tuple[Tensor | None, Tensor | None]:
    """Return what chances [4, D, C] and rows [4, C, K] get of the gradient of weights [D, C, K], contiguous."""
    # Products of a batch run as one call only where each matrix lies in one piece.
    by_channel = of_weights.transpose(0, 1)
    of_chances = torch.bmm(rows.transpose(0, 1), by_channel.transpose(1, 2)).permute(1, 2, 0) if chances else None
    of_rows = None
    if used:
        chosen = torch.nn.functional.one_hot(codes, rows.shape[0]).to(rows.dtype)
        of_rows = torch.bmm(chosen.permute(1, 2, 0), by_channel).transpose(0, 1)
    return of_chances, of_rows


def product(x: Tensor, chances: Tensor, rows: Tensor, codes: Tensor) -> Tensor:
    """Return activations times the rows that codes name; gradients reach the chances as if rows were weighted by them.

    Args:
        x: [D, n, K].
        chances: Soft choice, [4, D, C].
        rows: Every channel at every code, [4, C, K].
        codes: Hard choice, int64 [D, C].

    Returns:
        [D, n, C].
    """
    out: Tensor = _Product.apply(x, chances, rows, codes)  # type: ignore[no-untyped-call]
    return out


#: `product`, or what gives the same up to the order of sums.
Product = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Learnt(Choice):
    """A choice in training: weights of D users whose gradients reach the chances of each code and the table.

    Attributes:
        chances: Soft choice per channel, [4, D, C].
        multiply: What multiplies.
    """

    chances: Tensor = field(kw_only=True)
    multiply: Product = field(kw_only=True)

    @cached_property
    def built(self) -> Tensor:
        """The weights [D, C, K]."""
        out: Tensor = _Build.apply(self.chances, self.rows, self.codes)  # type: ignore[no-untyped-call]
        return out

    def product(self, x: Tensor) -> Tensor:
        """Return x [D, n, K] times each user's own weights, [D, n, C]; those of groups, or that meet few positions at a time, are built."""
        if x.shape[1] > FEW and self.rows.shape[2] == x.shape[2]:
            return self.multiply(x, self.chances, self.rows, self.codes)
        return torch.matmul(x, whole(self.built, x.shape[2]).transpose(-1, -2))


def straight_through(
    chances: Tensor, tables: list[Tensor], codes: Tensor, layers: tuple[Layer, ...], multiply: Product = product
) -> list[Learnt]:
    """Return the weights of D users so that gradients reach the chances and the tables.

    Args:
        chances: Soft choice per channel, [4, D, C]: codes first, along which softmax is an order of magnitude faster.
        tables: Per layer, rows at every code [4, C, K].
        codes: Hard choice, int64 [D, C].
        layers: Shapes, in plan order.
        multiply: What multiplies activations with them.
    """
    parts = zip(split_channels(chances, layers, 2), tables, split_channels(codes, layers, 1), strict=True)
    return [Learnt(rows, code, chances=chance, multiply=multiply) for chance, rows, code in parts]


def straight_through_table(weights: Tensor, table: Tensor) -> Tensor:
    """Return ``table`` [4, C, K] whose gradient passes to ``weights`` [C, K] as if rounding were the identity.

    Rows of pruned channels are zero whatever the weights are, so nothing passes through them.
    """
    alive = (table != 0).any(-1, keepdim=True).to(weights.dtype)
    return table.detach() + (weights - weights.detach()) * alive


def mask_of(scores: Tensor, keep: float, *, turns: bool = False) -> Tensor:
    """Return the shared element mask: the top ``keep`` share of each row by score, gradient straight through.

    Args:
        scores: One for each weight, [C, K].
        keep: Share of a row that is 1 or -1; the others are 0.
        turns: Whether a score below zero turns its weight's sign; scores are then ordered by their size (inference).
    """
    count = max(round(scores.shape[1] * keep), 1)
    told = scores.detach()
    places = (told.abs() if turns else told).topk(count, 1).indices
    signs = torch.where(told.gather(1, places) < 0, -1.0, 1.0).to(scores.dtype) if turns else 1.0
    kept = torch.zeros_like(told).scatter_(1, places, signs)
    # In this order the mask is exactly 0, 1 or -1, as phones have it.
    return kept + (scores - told)
