"""Shared-exponent floating point (OTARo): a group of weights shares one exponent, a lower width drops mantissa bits."""

from __future__ import annotations

import torch
from torch import Tensor

GROUP = 64
WIDEST = 8
#: The smallest exponent that is stored; smaller groups are zero.
_LEAST = -126


def groups(fan_in: int) -> int:
    """Return how many groups one channel has."""
    return -(-fan_in // GROUP)


def encode(weights: Tensor) -> tuple[Tensor, Tensor]:
    """Return 8-bit mantissas [C, K] and one exponent per group [C, groups(K)], int8 both.

    With E the largest exponent in the group, the mantissa is w / 2^(E - 6) without its fraction: sign and 7 bits.
    """
    padded = torch.nn.functional.pad(weights.detach(), (0, -weights.shape[1] % GROUP))
    grouped = padded.view(weights.shape[0], -1, GROUP)
    _, exponent = torch.frexp(grouped.abs().amax(-1))
    exponent = torch.where(grouped.abs().amax(-1) > 0, exponent - 1, _LEAST).clamp(_LEAST, 126)
    scale = torch.ldexp(torch.ones_like(exponent, dtype=torch.float32), exponent - (WIDEST - 2))
    mantissa = torch.trunc(grouped / scale.unsqueeze(-1)).clamp(-127, 127)
    return mantissa.view(weights.shape[0], -1)[:, : weights.shape[1]].to(torch.int8), exponent.to(torch.int8)


def decode(mantissas: Tensor, exponents: Tensor, bits: int) -> Tensor:
    """Return float weights [C, K] at ``bits`` bits (2 to 8): the sign and the highest bits - 1 bits of each mantissa."""
    drop = WIDEST - bits
    values = mantissas.to(torch.int32)
    kept = (values.abs() >> drop) * values.sign()
    exponent = exponents.to(torch.int32).repeat_interleave(GROUP, 1)[:, : mantissas.shape[1]]
    return kept.float() * torch.ldexp(torch.ones_like(kept, dtype=torch.float32), exponent - (bits - 2))


def truncate(weights: Tensor, bits: int) -> Tensor:
    """Return ``weights`` as a phone computes with them at ``bits`` bits."""
    return decode(*encode(weights), bits)
