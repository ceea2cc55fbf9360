"""Cross-entropy over the whole catalogue, fused with the product that makes its logits, tile by tile."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor

from chordsim.threads import together

#: Up to so many items the logits of a block of rows stay in a processor's cache, and each is computed once. Of more items, logits would go
#: through memory several times, which takes longer than to compute them again, tile by tile (`python -m benchmarks.loss_tiles`).
ONE_PASS_ITEMS = 6_000
BLOCK_ROWS = 128
TILE_ROWS, TILE_ITEMS = 1_024, 512
#: Parts of a large catalogue that are computed side by side; their number sets the order of sums, so no machine may choose it.
SPANS = 8


class _LinearCrossEntropy(torch.autograd.Function):
    """Computes the loss and both gradients at once, so that no [P, n_items] tensor outlives its tile."""

    @staticmethod
    def forward(ctx: Any, states: Tensor, table: Tensor, targets: Tensor, kind: torch.dtype) -> Tensor:
        """Return the mean loss over P positions; products are in ``kind``, the softmax and all sums over tiles are not."""
        compute = _in_one_pass if len(table) <= ONE_PASS_ITEMS else _in_tiles
        total, grad_states, grad_table = compute(states.to(kind), table.to(kind), targets, states.dtype)
        ctx.save_for_backward(grad_states, grad_table)
        ctx.rows = len(states)
        return (total / len(states)).to(states.dtype)

    @staticmethod
    def backward(ctx: Any, *upstream: Any) -> Any:
        """Scale the gradients that the forward pass left."""
        grad_states, grad_table = ctx.saved_tensors
        scale = upstream[0] / ctx.rows
        return grad_states * scale, grad_table * scale, None, None


def _in_one_pass(users: Tensor, items: Tensor, targets: Tensor, exact: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
    """Return the summed loss, float64, and its gradients by users and by items; a block of rows has all of its logits at a time."""
    grad_users, grad_items = users.new_empty(users.shape, dtype=exact), items.new_zeros(items.shape, dtype=exact)

    def block(at: int) -> tuple[Tensor, Tensor]:
        """Return the loss of a block and what it asks of the items; what it asks of its users is written where it belongs."""
        with torch.no_grad():
            here = users[at : at + BLOCK_ROWS]
            loss, grad = _softmax(here, items, targets[at : at + BLOCK_ROWS, None], exact)
            grad_users[at : at + BLOCK_ROWS] = grad @ items
            return loss, grad.T @ here

    total = users.new_zeros((), dtype=torch.float64)
    # Whoever computes them, blocks are added up in their order, so the sums are the same bits.
    for loss, asked in together([partial(block, at) for at in range(0, len(users), BLOCK_ROWS)]):
        total += loss
        grad_items += asked
    return total, grad_users, grad_items


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


def _in_tiles(users: Tensor, items: Tensor, targets: Tensor, exact: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
    """Return the same of many items: first the logarithm of each row's sum, then the gradients, from logits that are computed again."""
    grad_items = items.new_zeros(items.shape, dtype=exact)
    width = -(-len(items) // (SPANS * TILE_ITEMS)) * TILE_ITEMS
    spans = [range(at, min(at + width, len(items))) for at in range(0, len(items), width)]

    def sums(span: range) -> tuple[Tensor, Tensor]:
        """Return the logarithm of each row's sum over a span, and the logit of its target, 0 where that lies elsewhere."""
        with torch.no_grad():
            found = users.new_full((len(users), 1), -torch.inf, dtype=exact)
            chosen = torch.zeros_like(found)
            for rows, columns, logits in _tiles(users, items, span, exact):
                row, column = _targets_of(targets[rows], columns)
                chosen[rows][row, 0] = logits[row, column]
                largest = logits.amax(1, keepdim=True)
                found[rows] = torch.logaddexp(found[rows], logits.sub_(largest).exp_().sum(1, keepdim=True).log_().add_(largest))
            return found, chosen

    def gradients(span: range, whole: Tensor) -> Tensor:
        """Return what a span asks of the users; what the users ask of its items is written where it belongs."""
        with torch.no_grad():
            asked = users.new_zeros(users.shape, dtype=exact)
            for rows, columns, logits in _tiles(users, items, span, exact):
                grad = logits.sub_(whole[rows]).exp_()
                grad[_targets_of(targets[rows], columns)] -= 1
                grad = grad.to(users.dtype)
                asked[rows] += grad @ items[columns]
                grad_items[columns] += grad.T @ users[rows]
            return asked

    found, chosen = zip(*together([partial(sums, span) for span in spans]), strict=True)
    whole = torch.stack(found).logsumexp(0)
    grad_users = users.new_zeros(users.shape, dtype=exact)
    for asked in together([partial(gradients, span, whole) for span in spans]):
        grad_users += asked
    return (whole - torch.stack(chosen).sum(0)).sum(dtype=torch.float64), grad_users, grad_items


def _tiles(users: Tensor, items: Tensor, span: range, exact: torch.dtype) -> Iterator[tuple[slice, slice, Tensor]]:
    """Yield rows, items and their logits, tile by tile over a span of items."""
    for at in range(0, len(users), TILE_ROWS):
        rows = slice(at, at + TILE_ROWS)
        for first in range(span.start, span.stop, TILE_ITEMS):
            columns = slice(first, min(first + TILE_ITEMS, span.stop))
            logits = (users[rows] @ items[columns].T).to(exact)
            if not first:
                logits[:, 0] = -torch.inf
            yield rows, columns, logits


def _targets_of(targets: Tensor, columns: slice) -> tuple[Tensor, Tensor]:
    """Return which rows have their target among these items, and its place there."""
    row = ((targets >= columns.start) & (targets < columns.stop)).nonzero()[:, 0]
    return row, targets[row] - columns.start


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
