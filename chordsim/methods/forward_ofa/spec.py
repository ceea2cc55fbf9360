"""Spec of `forward-ofa`: the phone decides which blocks to run, the cloud generates those blocks alone.

Source: Forward-OFA (KDD 2025, arXiv 2501.02837), figure 3 and abstract.
Published: at session start the cloud sends candidate embeddings; on the phone an extractor and a head give
keep-or-skip logits per block (Gumbel-softmax, hard forward, soft backward); a linear projection of the logits enters
an encoder with the interest; parallel hypernetworks on the cloud, one per block, output that block's parameters;
skipped blocks are bypassed and not sent; one forward pass, no backpropagation on the phone.
Inference: a block is a SASRec block; generated weights are a shared matrix plus a user part of rank 8, the shared
ones start from `fp32`; the loss adds cost_weight x max(0, expected cost / (budget x full cost) - 1); a phone drops
its least likely blocks until its budgets hold, and asks for blocks with the structure that is left, as in training, where every user has
room for a random number of blocks; the temperature falls from 1 to 0.3 over `cooling` steps.
The `all` protocol needs a score for every item, so the item table is in the bootstrap as for every method, and the
session's candidates are the embeddings of the most popular items, counted, which replace those rows of the table. Where the catalogue
stays in the cloud, its candidates are those that the protocol lists, and their embeddings are asked for as by every method.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from chordsim.arrays import Bools, Ints
from chordsim.methods import (
    DOWN_CANDIDATES,
    DOWN_PRESCRIPTION,
    UP_PROFILE,
    UP_REPORT,
    Batch,
    Budgets,
    Cost,
    Given,
    Leg,
    MethodContext,
    MethodSpec,
    Needs,
)
from chordsim.nets.shapes import shapes_of
from chordsim.wire.ids import id_bytes


@dataclass(frozen=True)
class ForwardOfaSpec(MethodSpec):
    """Candidates down, structure and interest up, kept blocks down.

    Attributes:
        skips: True where every phone skips every block.
    """

    skips: bool = False

    def where_cached(self) -> MethodSpec:
        """Return the method whose candidates, where the catalogue stays in the cloud, are the protocol's: their rows are asked for."""
        return replace(self, exchange=tuple(leg for leg in self.exchange if leg != DOWN_CANDIDATES))

    def ends(self, context: MethodContext) -> tuple[MethodSpec, MethodSpec]:
        """Return every block skipped, and as many kept as budgets allow."""
        return replace(self, skips=True), self

    def sizes(self, context: MethodContext, who: Batch) -> dict[Leg, Ints]:
        """Return the most that phones may ask for: every block, or as many as fit where their budgets are known."""
        every = np.full(len(who), context.backbone.blocks, np.int64)
        return self._sizes(context, every if who.budgets is None else self._most(context, who.budgets))

    def needs(self, context: MethodContext, budgets: Budgets) -> Needs:
        """Return what as many blocks take as fit; a phone refuses where not even none does."""
        from chordsim.methods.forward_ofa.net import block_macs
        from chordsim.quant.budget import refusals

        rows, count = budgets.memory_bytes.size, self._most(context, budgets)
        none = np.zeros(rows, np.int64)
        least = blocks_cost(context, none, none)
        dearest = np.sort(block_macs(shapes_of(context.backbone, context.n_items, context.ranked)))[::-1]
        # As many as fit are the cheapest ones, but a phone may keep dearer ones up to what its speed leaves.
        speed = np.minimum(budgets.latency_s * budgets.macs_per_s, 2.0**52).astype(np.int64) - least.macs
        macs = np.minimum(np.concatenate([[0], dearest.cumsum()])[count], np.maximum(speed, 0))
        refusal = refusals(least.peak_memory_bytes, least.macs, budgets)
        bits = 32.0 * count / context.backbone.blocks
        return Needs(blocks_cost(context, count, macs), refusal, "device", refusal, bits, least.macs)

    def unchanged(self, context: MethodContext, then: Given, now: Budgets, before: Budgets) -> Bools:
        """Return which phones would keep the blocks that they kept.

        A phone drops its least likely blocks until the rest fits. So it ends with the same ones where they fit and it grants no more
        than it did, or where every block fitted before, so that it kept all that it wanted.
        """
        from chordsim.methods.forward_ofa.net import block_macs

        every = np.full(then.macs.size, context.backbone.blocks, np.int64)
        all_macs = np.full(then.macs.size, block_macs(shapes_of(context.backbone, context.n_items, context.ranked)).sum())
        most = blocks_cost(context, every, all_macs)
        speed, speed_before = (np.minimum(b.latency_s * b.macs_per_s, 2.0**52).astype(np.int64) for b in (now, before))
        fits = (then.peak_memory_bytes <= now.memory_bytes) & (then.macs <= speed)
        less = (now.memory_bytes <= before.memory_bytes) & (speed <= speed_before)
        wanted = (most.peak_memory_bytes <= before.memory_bytes) & (most.macs <= speed_before)
        return np.asarray(fits & (less | wanted))

    def _most(self, context: MethodContext, budgets: Budgets) -> Ints:
        """Return how many blocks each phone can keep, [D]."""
        from chordsim.methods.forward_ofa.net import block_macs, block_weights

        shapes, none = shapes_of(context.backbone, context.n_items, context.ranked), np.zeros(budgets.memory_bytes.size, np.int64)
        if self.skips:
            return none
        least = blocks_cost(context, none, none)
        by_memory = np.maximum(budgets.memory_bytes - least.peak_memory_bytes, 0) // (4 * block_weights(shapes))
        speed = np.minimum(budgets.latency_s * budgets.macs_per_s, 2.0**52).astype(np.int64) - least.macs
        by_speed = np.searchsorted(np.sort(block_macs(shapes)).cumsum(), speed, side="right")
        fits: Ints = np.minimum(np.minimum(by_memory, by_speed), context.backbone.blocks).astype(np.int64)
        return fits

    def _sizes(self, context: MethodContext, kept: Ints) -> dict[Leg, Ints]:
        from chordsim.methods.forward_ofa.net import block_weights, flag_bytes

        shapes = shapes_of(context.backbone, context.n_items, context.ranked)
        flags, dim = flag_bytes(context.backbone.blocks), context.backbone.dim
        listed = min(int(context.settings["candidates"]), context.n_items)
        own = {DOWN_CANDIDATES: np.full(kept.size, listed * (id_bytes(context.n_items) + 4 * dim), np.int64)}
        return {
            **(own if DOWN_CANDIDATES in self.exchange else {}),
            UP_PROFILE: np.full(kept.size, flags + 4 * dim, np.int64),
            DOWN_PRESCRIPTION: flags + 4 * block_weights(shapes) * kept,
        }


def blocks_cost(context: MethodContext, count: Ints, macs: Ints) -> Cost:
    """Return what one request takes with ``count`` blocks of ``macs`` operations together [D]; a skipped one takes nothing."""
    from chordsim.methods.forward_ofa.net import block_weights, controller_size
    from chordsim.nets import footprint

    shapes = shapes_of(context.backbone, context.n_items, context.ranked)
    parameters, read = controller_size(shapes)
    whole = macs + shapes.ranked * context.backbone.dim
    stored = 4 * parameters + 4 * block_weights(shapes) * count.astype(np.int64)
    peak, model = footprint.fixed_bytes(shapes) + stored, footprint.embedding_bytes(shapes) + stored
    return replace(
        Cost.zero(whole.size),
        macs=whole,
        bitops=whole * 32 * 32,
        adapt_macs=np.full(whole.size, read, np.int64),
        peak_memory_bytes=peak,
        model_bytes=model,
    )


def spec(name: str) -> MethodSpec:
    """Return the spec."""
    return ForwardOfaSpec(
        name=name,
        summary="the phone chooses blocks, the cloud generates their 32-bit weights",
        exchange=(DOWN_CANDIDATES, UP_PROFILE, DOWN_PRESCRIPTION, UP_REPORT),
        cloud="chordsim.methods.forward_ofa.cloud:ForwardOfaCloud",
        device="chordsim.methods.forward_ofa.device:ForwardOfaDevice",
        defaults={"candidates": 100, "rank": 8, "budget": 0.7, "cost_weight": 0.2, "horizon": 12, "cooling": 500},
        allowed={
            "candidates": (1, 10_000),
            "rank": (1, 1024),
            "budget": (0, 1),
            "cost_weight": (0, 1000),
            "horizon": (1, 1000),
            "cooling": (1, 10_000_000),
        },
        backbones=("sasrec",),
        by_budgets=True,
        cached="rows",
    )
