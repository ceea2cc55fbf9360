"""Dropout from whole words of random bits: drawing one number per activation costs more than the layers it acts on."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

_STEPS = 256

#: `thinned`, or what gives the same.
Thin = Callable[[Tensor, Tensor, int, float], Tensor]


def thinned(x: Tensor, chances: Tensor, cut: int, factor: float) -> Tensor:
    """Return ``x`` times ``factor`` where ``chances`` (uint8, of its shape) reach ``cut``, and times 0 elsewhere."""
    return x * (chances >= cut).to(x.dtype).mul_(factor)


def dropped(x: Tensor, share: float, generator: torch.Generator, thin: Thin = thinned) -> Tensor:
    """Return ``x`` with about ``share`` of its numbers zeroed and the rest scaled up to keep the mean.

    Args:
        x: Any shape, float.
        share: Chance of each number to be zeroed, 0 to 1; taken to the next 1/256.
        generator: Where the bits come from.
        thin: What multiplies.
    """
    cut = min(round(share * _STEPS), _STEPS - 1)
    if cut == 0:
        return x
    words = torch.empty(-(-x.numel() // 8), dtype=torch.int64).random_(-(2**63), None, generator=generator)
    return thin(x, words.view(torch.uint8)[: x.numel()].view(x.shape), cut, _STEPS / (_STEPS - cut))
