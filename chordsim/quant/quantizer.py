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
    2^(bits-1) - 1 steps to each side, 32 leaves the weights alone.

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
    if bits == 2:
        levels, scale = _ternary(weights)
    elif 3 <= bits <= 8:
        levels, scale = _uniform(weights, bits)
    else:
        raise ValueError(f"no quantizer for {bits} bits")
    return levels * scale


def levels_and_scales(weights: Tensor, bits: int) -> tuple[Tensor, Tensor]:
    """Return integer levels [C, K] (int8) and the scale of each channel [C, 1], whose product is `quantize`."""
    levels, scale = _ternary(weights) if bits == 2 else _uniform(weights, bits)
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


def _uniform(weights: Tensor, bits: int) -> tuple[Tensor, Tensor]:
    steps = 2 ** (bits - 1) - 1
    limit = weights.abs().amax(-1, keepdim=True)
    if bits in CLIP_SIGMAS:
        present, count = _kept(weights)
        mean = weights.sum(-1, keepdim=True) / count
        sigma = (((weights - mean) * present).square().sum(-1, keepdim=True) / count).sqrt()
        limit = torch.minimum(limit, CLIP_SIGMAS[bits] * sigma)
    scale = limit.clamp_min(1e-30) / steps
    return torch.clamp(torch.round(weights / scale), -steps, steps), scale
