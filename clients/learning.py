"""Training on the phone: a chunk's phones take their own gradient steps together."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from chordsim.methods import History, MethodContext, PhoneBatch


def lessons(history: History, positions: int) -> tuple[Tensor, Tensor]:
    """Return inputs [D, L] and, for the last ``positions`` of them, the item that came next [D, P]; 0 where none."""
    items = torch.from_numpy(history.items)
    inputs = torch.nn.functional.pad(items[:, :-1], (1, 0))
    targets = torch.where(inputs > 0, items, 0)
    return inputs, targets[:, -positions:]


def rows_at_hand(context: MethodContext, who: PhoneBatch) -> Tensor | None:
    """Return the items beside its own whose rows a phone has, [D, N], where the catalogue stays in the cloud; None where it owns all."""
    if context.backbone.items == "owned":
        return None
    assert who.listed is not None
    return torch.from_numpy(who.listed)


def own_losses(states: Tensor, item_table: Tensor, targets: Tensor, listed: Tensor | None = None) -> Tensor:
    """Return each phone's mean cross-entropy over the catalogue, or over the items that it has rows of, [D]; 0 where it has no target.

    Args:
        states: [D, P, d].
        item_table: [n_items + 1, d].
        targets: [D, P], 0 where there is none; items of the phone's own history, whose rows it holds.
        listed: What stands beside a target where the catalogue stays in the cloud: what was listed for the phone, [D, N], 0 pads.
    """
    if listed is not None:
        return _own_losses_listed(states, item_table, targets, listed)
    logits = states @ item_table.T
    logits = torch.cat([torch.full_like(logits[..., :1], -torch.inf), logits[..., 1:]], -1)
    miss = torch.logsumexp(logits, -1) - logits.gather(-1, targets.clamp_min(1).unsqueeze(-1)).squeeze(-1)
    return _mean(miss, targets)


def _own_losses_listed(states: Tensor, item_table: Tensor, targets: Tensor, listed: Tensor) -> Tensor:
    others = states @ item_table[listed].transpose(1, 2)
    none = (listed == 0)[:, None] | (listed[:, None] == targets[..., None])
    own = (states * item_table[targets]).sum(-1, keepdim=True)
    logits = torch.cat([own, others.masked_fill(none, -torch.inf)], -1)
    return _mean(torch.logsumexp(logits, -1) - own.squeeze(-1), targets)


def _mean(miss: Tensor, targets: Tensor) -> Tensor:
    real = (targets > 0).to(miss.dtype)
    return (miss * real).sum(1) / real.sum(1).clamp_min(1.0)


def descend(start: Sequence[Tensor], losses: Callable[[list[Tensor]], Tensor], steps: int, rate: float, clip: float = 1.0) -> list[Tensor]:
    """Take plain gradient steps on every phone's own parameters.

    The sum of the phones' losses has each phone's own gradient in its rows, since no phone's loss depends on
    another's parameters.

    Args:
        start: Parameters [D, ...] each.
        losses: Parameters to losses [D].
        steps: Gradient steps.
        rate: Step size.
        clip: Largest norm of one phone's whole gradient.
    """
    values = [p.detach() for p in start]
    for _ in range(steps):
        leaves = [p.requires_grad_() for p in values]
        grads = torch.autograd.grad(losses(leaves).sum(), leaves)
        norm = torch.stack([g.flatten(1).square().sum(1) for g in grads]).sum(0).sqrt()
        scale = rate * (clip / norm.clamp_min(clip))
        values = [(p - scale.view(-1, *[1] * (g.ndim - 1)) * g).detach() for p, g in zip(leaves, grads, strict=True)]
    return values
