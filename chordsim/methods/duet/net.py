"""DUET's dynamic head: two layers whose 32-bit weights the cloud generates for one user, and their bytes."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def head_sizes(dim: int) -> tuple[int, int, int, int]:
    """Return how many numbers each part takes: first weight and bias, second weight and bias."""
    return dim * dim, dim, dim * dim, dim


def head_numbers(dim: int) -> int:
    """Return how many numbers one head takes."""
    return sum(head_sizes(dim))


def apply(states: Tensor, head: Tensor) -> Tensor:
    """Return ``states`` plus what the head makes of them.

    Args:
        states: [D, d] or [D, L, d].
        head: [D, head_numbers(d)], one head per user.
    """
    dim = states.shape[-1]
    first, first_bias, second, second_bias = torch.split(head, list(head_sizes(dim)), 1)
    x = states.reshape(states.shape[0], -1, dim)
    hidden = F.relu(x @ first.view(-1, dim, dim).transpose(1, 2) + first_bias[:, None])
    out = hidden @ second.view(-1, dim, dim).transpose(1, 2) + second_bias[:, None]
    return states + out.view(states.shape)
