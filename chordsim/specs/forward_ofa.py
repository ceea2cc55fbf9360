"""Spec of `forward-ofa`: the phone decides which blocks to run, the cloud generates those blocks alone.

Source: Forward-OFA (KDD 2025, arXiv 2501.02837), figure 3 and abstract.
Published: at session start the cloud sends candidate embeddings; on the phone an extractor and a head give
keep-or-skip logits per block (Gumbel-softmax, hard forward, soft backward); a linear projection of the logits enters
an encoder with the interest; parallel hypernetworks on the cloud, one per block, output that block's parameters;
skipped blocks are bypassed and not sent; one forward pass, no backpropagation on the phone.
Inference: a block is a SASRec block; generated weights are a shared matrix plus a user part of rank 8, the shared
ones start from `fp32`; the loss adds cost_weight x max(0, expected cost / (budget x full cost) - 1); a phone drops
its least likely blocks until its budgets hold; the temperature falls from 1 to 0.3.
The `all` protocol needs a score for every item, so the item table is in the bootstrap as for every method, and the
session's candidates are the embeddings of the most popular items, counted, which replace those rows of the table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from chordsim.methods import DOWN_CANDIDATES, DOWN_PRESCRIPTION, UP_PROFILE, UP_REPORT, Batch, Leg, MethodContext, MethodSpec
from chordsim.nets.forward_ofa import block_weights, flag_bytes, unpack_kept
from chordsim.nets.shapes import shapes_of
from chordsim.ragged import Ints, Ragged
from chordsim.wire.ids import id_bytes


@dataclass(frozen=True)
class ForwardOfaSpec(MethodSpec):
    """Candidates down, structure and interest up, kept blocks down."""

    def sizes(self, context: MethodContext, who: Batch) -> dict[Leg, Ints]:
        """Return the sizes where every block is kept: the most that a phone may ask for."""
        return self._sizes(context, np.full(len(who), context.backbone.blocks, np.int64))

    def exact_sizes(self, context: MethodContext, who: Batch, told: Mapping[Leg, Ragged]) -> dict[Leg, Ints]:
        """Return the sizes where phones keep what their profiles say."""
        flags, blocks = flag_bytes(context.backbone.blocks), context.backbone.blocks
        packed, _ = told[UP_PROFILE].matrix(flags + 4 * context.backbone.dim)
        return self._sizes(context, unpack_kept(packed[:, :flags], blocks)[0].sum(1))

    def _sizes(self, context: MethodContext, kept: Ints) -> dict[Leg, Ints]:
        shapes = shapes_of(context.backbone, context.n_items)
        flags, dim = flag_bytes(context.backbone.blocks), context.backbone.dim
        listed = min(int(context.settings["candidates"]), context.n_items)
        return {
            DOWN_CANDIDATES: np.full(kept.size, listed * (id_bytes(context.n_items) + 4 * dim), np.int64),
            UP_PROFILE: np.full(kept.size, flags + 4 * dim, np.int64),
            DOWN_PRESCRIPTION: flags + 4 * block_weights(shapes) * kept,
        }


def spec(name: str) -> MethodSpec:
    """Return the spec."""
    return ForwardOfaSpec(
        name, "the phone chooses blocks, the cloud generates their 32-bit weights",
        (DOWN_CANDIDATES, UP_PROFILE, DOWN_PRESCRIPTION, UP_REPORT),
        "server.methods.forward_ofa:ForwardOfaCloud", "clients.methods.forward_ofa:ForwardOfaDevice",
        {"candidates": 100, "rank": 8, "budget": 0.7, "cost_weight": 0.2, "horizon": 12}, backbones=("sasrec",),
    )  # fmt: skip
