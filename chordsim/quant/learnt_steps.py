"""Learnt step sizes (LSQ, Esser et al. 2020): scales of channels that training moves, symmetric levels."""

from __future__ import annotations

import torch
from torch import Tensor

#: No step is smaller.
LEAST = 1e-6


def largest_level(bits: int) -> int:
    """Return the largest level of a width, as of `chordsim.quant.quantizer`: symmetric, 1 at 2 bits."""
    return int(2 ** (bits - 1) - 1)


def levels_at(weights: Tensor, steps: Tensor, bits: int) -> Tensor:
    """Return the whole numbers [C, K] that weights are stored as at steps [C, 1]."""
    most = largest_level(bits)
    return torch.clamp(torch.round(weights / steps.clamp_min(LEAST)), -most, most)


def at_steps(weights: Tensor, steps: Tensor, bits: int) -> tuple[Tensor, Tensor]:
    """Return integer levels [C, K] (int8) and scales [C, 1], whose product is what `learnt` computes with."""
    return levels_at(weights, steps, bits).to(torch.int8), steps.clamp_min(LEAST)


def learnt(weights: Tensor, steps: Tensor, bits: int) -> Tensor:
    """Return weights [C, K] as stored at steps [C, 1], with LSQ's gradients.

    Weights inside the range get what comes as it is, others nothing. A step gets the sum over its weights of what comes times
    round(w / s) - w / s inside and the end of the range outside, times 1 / sqrt(K x largest level).
    """
    most = largest_level(bits)
    slow = (weights.shape[-1] * most) ** -0.5
    kept = steps.clamp_min(LEAST)
    # In these orders values are exactly what a phone stores.
    step = kept.detach() + (kept - kept.detach()) * slow
    inside = torch.clamp(weights / step, -most, most)
    out: Tensor = (levels_at(weights.detach(), steps.detach(), bits) + (inside - inside.detach())) * step
    return out
