"""Per-channel symmetric quantizers whose scale depends on (channel, bits) alone, so that scales cost no bytes.

Pure tensor functions: full-precision rows in, the rows that a phone would compute with out. A zero weight
counts as absent (an element mask put it there): it stays zero and does not enter the statistics of its row.
"""

from __future__ import annotations

import torch
from torch import Tensor

#: Threshold of the ternary quantizer as a share of mean |w| (ternary weight networks, Li et al. 2016).
TERNARY_THRESHOLD = 0.7
#: Clipping point of 4 bits in standard deviations (near the optimum for a Gaussian, ACIQ; prototype).
CLIP_SIGMAS = {4: 2.6}
WIDTHS = (0, 2, 4, 8)


def quantize(weights: Tensor, bits: int) -> Tensor:
    """Return ``weights`` as a phone stores them at ``bits`` bits, dequantized.

    0 bits prunes the channel, 2 bits are ternary, other widths are uniform and symmetric with
    2^(bits-1) - 1 steps to each side, 32 leaves the weights alone. A channel whose weights are so alike that ternary
    levels lose less keeps those at any width. 4 bits know two scales, one that reaches the largest weight and one that
    clips what looks like a Gaussian, and take what loses least.

    Args:
        weights: Channels by fan-in, [..., C, K].
        bits: 0, 2 to 8, or 32.

    Raises:
        ValueError: No such width.
    """
    if bits == 32:
        return weights
    if bits == 0:
        return torch.zeros_like(weights)
    if not 2 <= bits <= 8:
        raise ValueError(f"no quantizer for {bits} bits")
    levels, scale = _rounded(weights, bits)
    return levels * scale


def levels_and_scales(weights: Tensor, bits: int) -> tuple[Tensor, Tensor]:
    """Return integer levels [C, K] (int8) and the scale of each channel [C, 1], whose product is `quantize`."""
    levels, scale = _rounded(weights, bits)
    return levels.to(torch.int8), scale


def table(weights: Tensor, widths: tuple[int, ...] = WIDTHS) -> Tensor:
    """Return every channel at every width, [len(widths), C, K]: what a chunk of phones gathers rows from."""
    return torch.stack([quantize(weights, bits) for bits in widths])


def scaled(rows: Tensor, gains: Tensor) -> Tensor:
    """Return a table [4, C, K] times learnt scales [C, 1], one per channel, or [C, 4], one per code of a channel."""
    return rows * gains.T.unsqueeze(-1)


def relative_error(weights: Tensor, widths: tuple[int, ...]) -> Tensor:
    """Return |w - Q_b(w)|^2 / |w|^2 per channel and width, [C, len(widths)]."""
    power = weights.square().sum(-1).clamp_min(1e-30)
    return torch.stack([(weights - quantize(weights, b)).square().sum(-1) / power for b in widths], -1)


def _kept(weights: Tensor) -> tuple[Tensor, Tensor]:
    present = (weights != 0).to(weights.dtype)
    return present, present.sum(-1, keepdim=True).clamp_min(1.0)


def _ternary(weights: Tensor) -> tuple[Tensor, Tensor]:
    size = weights.abs()
    _, count = _kept(weights)
    threshold = TERNARY_THRESHOLD * size.sum(-1, keepdim=True) / count
    large = (size > threshold).to(weights.dtype)
    scale = (size * large).sum(-1, keepdim=True) / large.sum(-1, keepdim=True).clamp_min(1.0)
    return weights.sign() * large, scale


def _rounded(weights: Tensor, bits: int) -> tuple[Tensor, Tensor]:
    ternary = _ternary(weights)
    if bits == 2:
        return ternary
    largest = weights.abs().amax(-1, keepdim=True)
    choices = [_uniform(weights, bits, largest), ternary]
    if bits in CLIP_SIGMAS:
        # Clipping loses all of a row whose weights are alike, so it is a choice and no rule; fewer bits fit into these.
        clip = torch.minimum(largest, CLIP_SIGMAS[bits] * _sigma(weights))
        choices = [_uniform(weights, bits, clip), *choices, _uniform(weights, 3, largest)]
    return _least_lost(weights, choices)


def _sigma(weights: Tensor) -> Tensor:
    present, count = _kept(weights)
    mean = weights.sum(-1, keepdim=True) / count
    return (((weights - mean) * present).square().sum(-1, keepdim=True) / count).sqrt()


def _uniform(weights: Tensor, bits: int, limit: Tensor) -> tuple[Tensor, Tensor]:
    steps = 2 ** (bits - 1) - 1
    scale = limit.clamp_min(1e-30) / steps
    return torch.clamp(torch.round(weights / scale), -steps, steps), scale


def _least_lost(weights: Tensor, choices: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    """Return per channel the levels and scale of least squared error; among equals the first."""
    levels, scale = choices[0]
    error = (weights - levels * scale).square().sum(-1, keepdim=True)
    for other, other_scale in choices[1:]:
        other_error = (weights - other * other_scale).square().sum(-1, keepdim=True)
        better = other_error < error
        levels, scale = torch.where(better, other, levels), torch.where(better, other_scale, scale)
        error = torch.where(better, other_error, error)
    return levels, scale
