"""Spec of `diet`: one frozen backbone for all, one bit per weight and user down the link.

Source: DIET (KDD 2024, arXiv 2406.08804), abstract and figure 2.
Published: hypernetworks on the cloud turn a sequence embedding into an element score matrix per layer and a
filter-level importance vector per layer; the importances correct the scores; a mask function makes them binary;
only masks cross the network; the phone multiplies them with the frozen network that all phones share.
Inference: the correction is the outer product of adjacent layers' importances, which are 1 + tanh(.); scores are a shared matrix
plus a bounded user part of rank 4 under a sigmoid; the mask keeps a fixed share per layer; straight-through gradients; a GRU reads
the user (so says a secondary source). Whether the shared network is random or pre-trained is told both ways, so `backbone.init` is
either; `law`, `gains` and `start` are those of `chord-plus`. Trained with the same steps as `fp32`.
Left out: an extractor per layer (one serves all), and DIETING, which repeats one layer's parameters.

On Caser, where the last layer reads the answers of all filters, a score is corrected by its own channel's importance alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chordsim.arrays import Ints
from chordsim.methods import DOWN_PRESCRIPTION, UP_PROFILE, UP_REPORT, Batch, Budgets, Cost, Leg, MethodContext, MethodSpec, Needs
from chordsim.nets.kinds import EXTRACTORS, LAWS
from chordsim.nets.shapes import shapes_of
from chordsim.quant.costs import on_device, same_for_all


@dataclass(frozen=True)
class DietSpec(MethodSpec):
    """User embedding up, one mask bit per weight down."""

    def sizes(self, context: MethodContext, who: Batch) -> dict[Leg, Ints]:
        """Return 4 bytes per number of the embedding up, a bit per weight down."""
        from chordsim.methods.diet.net import mask_bytes

        up, down = 4 * int(context.settings["profile_dim"]), mask_bytes(shapes_of(context.backbone, context.n_items, context.ranked))
        return {UP_PROFILE: np.full(len(who), up, np.int64), DOWN_PRESCRIPTION: np.full(len(who), down, np.int64)}

    def needs(self, context: MethodContext, budgets: Budgets) -> Needs:
        """Return what the masked backbone takes, and who cannot bear it."""
        return on_device(masked_cost(context, budgets.memory_bytes.size), budgets, stored_bits(context))


def stored_bits(context: MethodContext) -> float:
    """Return the bits that a phone keeps per weight: its mask's, and those of a backbone that no seed gives back."""
    return 33.0 if context.backbone.init == "trained" else 1.0


def masked_cost(context: MethodContext, rows: int) -> Cost:
    """Return what one request takes: one bit per weight is stored, frozen rows are drawn anew one at a time, or kept where trained.

    A mask without structure saves no operations: products run as if it were dense.
    """
    from chordsim.methods.diet.net import mask_bytes
    from chordsim.nets import footprint
    from chordsim.nets.extractor import size

    shapes, s = shapes_of(context.backbone, context.n_items, context.ranked), context.settings
    parameters, read = size(s["extractor"], shapes.backbone.dim, int(s["profile_dim"]))
    kept = 4 * (shapes.weights * (context.backbone.init == "trained") + shapes.channels * bool(s["gains"]))
    own = mask_bytes(shapes) + 4 * parameters + kept
    macs = footprint.dense_macs(shapes)
    return same_for_all(
        rows,
        macs=macs,
        bitops=macs * footprint.FLOAT_BITS**2,
        adapt_macs=footprint.adapt_macs(shapes) + read,
        peak_memory_bytes=footprint.fixed_bytes(shapes) + own + footprint.row_buffer_bytes(shapes),
        model_bytes=footprint.embedding_bytes(shapes) + own,
    )


def spec(name: str) -> MethodSpec:
    """Return the spec."""
    return DietSpec(
        name=name,
        summary="a binary mask per user over a frozen backbone that all share",
        exchange=(UP_PROFILE, DOWN_PRESCRIPTION, UP_REPORT),
        cloud="chordsim.methods.diet.cloud:DietCloud",
        device="chordsim.methods.diet.device:DietDevice",
        by_budgets=False,
        cached="rows",
        defaults={
            "keep": 0.5,
            "profile_dim": 64,
            "extractor": "gru",
            "horizon": 12,
            "law": "gaussian",
            "gains": False,
            "start": "scratch",
        },
        allowed={
            "keep": (0.001, 1),
            "profile_dim": (1, 4096),
            "extractor": EXTRACTORS,
            "horizon": (1, 1000),
            "law": LAWS,
            "start": ("scratch", "reference"),
        },
    )
