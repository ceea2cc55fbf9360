"""DCCL's patches, adapters beside each block's feed-forward, each a shared basis times a short metapatch, and their training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from chordsim.config.model import BackboneConfig
from chordsim.methods import MethodContext
from chordsim.nets import sasrec
from chordsim.nets.draws import draw_parameters
from chordsim.nets.extractor import MeanPool
from chordsim.nets.recommender import Dense
from chordsim.nets.sasrec import PER_BLOCK
from chordsim.nets.shapes import Shapes
from chordsim.nets.windows import Windows


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


class Dccl(Dense):
    """The backbone with patches; metapatches come from an encoder in training, from phones in use."""

    def __init__(self, shapes: Shapes, context: MethodContext) -> None:
        super().__init__(shapes, context.seed)
        s, config = context.settings, shapes.backbone
        self.horizon, self.rank = int(s["horizon"]), int(s["rank"])
        numbers = patch_numbers(config, int(s["hidden"]))
        basis = torch.randn(config.blocks, numbers, self.rank, generator=self.generator) * (config.dim * self.rank) ** -0.5
        basis[:, numbers // 2 :] *= 0.1
        self.basis, self.meta = nn.Parameter(basis), nn.Parameter(torch.ones(config.blocks, self.rank))
        self.encoder = MeanPool(config.dim, config.dim)
        self.writer = nn.ModuleDict({"head": nn.Linear(config.dim, config.blocks * self.rank)})
        draw_parameters(self.encoder, self.generator)
        draw_parameters(self.writer, self.generator)

    def groups(self, lr: float, plan_lr: float) -> list[dict[str, Any]]:
        """Return the patches' parts only: the cloud model stays as it is."""
        return [{"params": [self.basis, self.meta, *self.encoder.parameters(), *self.writer.parameters()], "lr": lr}]

    def metas(self, items: Tensor, rows: Tensor) -> Tensor:
        """Return proxies' metapatches [B, blocks, r] of histories [B, L], read with item rows [n_items + 1, d] that do not learn by it."""
        read: Tensor = self.writer["head"](self.encoder(items, rows))
        return self.meta + read.view(-1, *self.meta.shape)

    def patched(self, meta: Tensor) -> list[Tensor]:
        """Return the backbone's weights with these patches."""
        return patched(list(self.weights), self.basis, meta, self.shapes.backbone)

    def states(self, windows: Windows, dropout: float, generator: torch.Generator) -> Tensor:
        """Return final states [B, L, d] under proxies made from `windows.history` alone."""
        return self.run(windows.inputs, self.patched(self.metas(windows.history, self.item.detach())), dropout, generator)

    def last_states(self, items: Tensor) -> Tensor:
        """Return the last state [B, d] under proxies' metapatches, which stand for those that phones train.

        Under the shipped one alone a basis shows nothing of what it is for, and the untrained start would be kept.
        """
        return self.last(items, self.metas(items, self.item_as_shipped()))

    def last(self, items: Tensor, meta: Tensor) -> Tensor:
        """Return the last state [B, d] under metapatches."""
        states = sasrec.embed(items, self.item_as_shipped(), self.position)
        return sasrec.forward(items, states, self.patched(meta), self.shapes.backbone)
