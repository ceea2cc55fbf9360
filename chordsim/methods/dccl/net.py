"""DCCL's patches: adapters beside the feed-forward of each block, each a shared basis times a short metapatch."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from chordsim.config.model import BackboneConfig
from chordsim.nets.sasrec import PER_BLOCK


def patch_numbers(config: BackboneConfig, hidden: int) -> int:
    """Return how many weights one patch has: into and out of ``hidden`` units."""
    return 2 * config.dim * hidden


def patched(weights: Sequence[Tensor], basis: Tensor, meta: Tensor, config: BackboneConfig) -> list[Tensor]:
    """Return the backbone's weights with patches beside its feed-forwards, exact: sums of hidden units.

    Args:
        weights: Per layer [C, K].
        basis: [blocks, patch_numbers, r], shared.
        meta: [blocks, r] for all, or [D, blocks, r] for each phone.
        config: The backbone.
    """
    theta = torch.einsum("bnr,...br->...bn", basis, meta)
    hidden = basis.shape[1] // (2 * config.dim)
    into, out = theta.view(*theta.shape[:-1], 2, hidden, config.dim).unbind(-3)
    lead = theta.shape[:-2]
    new = list(weights)
    for b in range(config.blocks):
        feed_in, feed_out = weights[PER_BLOCK * b + 4], weights[PER_BLOCK * b + 5]
        new[PER_BLOCK * b + 4] = torch.cat([feed_in.expand(*lead, *feed_in.shape), into[..., b, :, :]], -2)
        new[PER_BLOCK * b + 5] = torch.cat([feed_out.expand(*lead, *feed_out.shape), out[..., b, :, :].transpose(-1, -2)], -1)
    return new


def patch_macs(config: BackboneConfig, hidden: int, positions: int) -> int:
    """Return multiply-accumulates of all patches in one pass over ``positions`` positions of each block."""
    return config.blocks * positions * patch_numbers(config, hidden)
