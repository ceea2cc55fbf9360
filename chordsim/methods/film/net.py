"""Modulating the last state: int8 numbers that scale it, shift it and mix in the mean of the recent items."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from chordsim.nets.embeddings import look_up

RECENT, LEVELS = 8, 127


def modulate(states: Tensor, recent: Tensor, numbers: Tensor) -> Tensor:
    """Return modulated states.

    Args:
        states: [D, d] or [D, L, d].
        recent: Mean of the recent item embeddings, [D, d].
        numbers: In -1 to 1, [D, 3 d]: scale, shift, mix.
    """
    if states.ndim == 3:
        recent, numbers = recent.unsqueeze(1), numbers.unsqueeze(1)
    scale, shift, mix = numbers.chunk(3, -1)
    return states * (1 + scale) + shift + mix * recent


def recent_mean(items: Tensor, item_table: Tensor) -> Tensor:
    """Return the normalised mean embedding [D, d] of the last items of [D, L]; 0 is padding."""
    last = items[:, -RECENT:]
    mean = look_up(item_table, last).sum(1) / (last > 0).sum(1, keepdim=True).clamp_min(1)
    return F.layer_norm(mean, mean.shape[1:])


def rounded(numbers: Tensor) -> Tensor:
    """Return numbers in -1 to 1 as int8 levels over 127."""
    return torch.round(numbers * LEVELS) / LEVELS
