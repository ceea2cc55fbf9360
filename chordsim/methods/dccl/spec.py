"""Spec of `dccl`: small patches trained on the phone, distilled on the cloud.

Source: DCCL (KDD 2021, arXiv 2104.06624), abstract and a reader's notes.
Published: the cloud model is frozen on the phone; patches between its layers have parameters that factor into a
global basis times a metapatch; the phone trains the metapatch alone, by cross-entropy and backpropagation; on the
cloud the model learns from its data and by distillation from all device models (model over models), then the basis
is learnt by distilling device models into proxies whose metapatch an auxiliary encoder gives.
Inference: a patch is an adapter of a few hidden units beside each block's feed-forward; rank 8; the encoder is a
mean-pooling reader; the cloud lets each device model teach on the logs of its own user, whose account it knows; temperature 1. The
basis is learnt with the encoder before the first round. Steps of a metapatch are clipped to `rate`, so that 3 of them move its 4 or
so of length by at most a third.
Each round starts from the shipped metapatch again.
Left out: user profiles as input of the encoder.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from chordsim.arrays import Ints
from chordsim.methods import UP_REPORT, UP_UPDATE, Batch, Budgets, Cost, Leg, MethodContext, MethodSpec, Needs
from chordsim.methods.finetune.spec import ON_PHONE
from chordsim.nets.shapes import shapes_of
from chordsim.quant.costs import shipped_cost


@dataclass(frozen=True)
class DcclSpec(MethodSpec):
    """Metapatches up."""

    def as_set(self, settings: Mapping[str, Any]) -> MethodSpec:
        """Return the method as one whose weights stay where no step of distillation teaches them, and patches too if phones take none."""
        if settings.get("distil_steps") != 0 and settings.get("distil_rate") != 0:
            return self
        return replace(self, renews=() if settings.get("rate") == 0 else ("patches",))

    def sizes(self, context: MethodContext, who: Batch) -> dict[Leg, Ints]:
        """Return 4 bytes per number of every block's metapatch."""
        return {UP_UPDATE: np.full(len(who), 4 * context.backbone.blocks * int(context.settings["rank"]), np.int64)}

    def needs(self, context: MethodContext, budgets: Budgets) -> Needs:
        """Return what a request with patches and the steps before it take."""
        from chordsim.quant.costs import on_device

        return on_device(patched_cost(context, budgets.memory_bytes.size), budgets, 32.0)


def patched_cost(context: MethodContext, rows: int) -> Cost:
    """Return the cost of a request with patches and of the steps before it.

    Gradients pass through the frozen backbone but are kept for the metapatch alone.
    """
    from chordsim.methods.dccl.net import patch_macs, patch_numbers
    from chordsim.quant import costs

    shapes, config, s = shapes_of(context.backbone, context.n_items, context.ranked), context.backbone, context.settings
    hidden, rank, positions = int(s["hidden"]), int(s["rank"]), int(s["positions"])
    base = shipped_cost(shapes, 32, rows)
    build = config.blocks * patch_numbers(config, hidden) * rank
    own, through = 4 * (build + config.blocks * rank), patch_macs(config, hidden, config.max_len)
    step = (
        costs.PASSES_THROUGH_FROZEN * costs.forward_macs(shapes)
        + costs.PASSES_TO_TRAIN_ALL * (through + build)
        + costs.score_macs(shapes, positions)
    )
    request = base.macs + build + through
    peak = base.model_bytes + own + costs.kept_bytes(shapes, positions)
    return replace(
        base,
        macs=request,
        train_macs=np.full(rows, int(s["steps"]) * step, np.int64),
        bitops=request * 32 * 32,
        peak_memory_bytes=np.maximum(base.peak_memory_bytes + own, peak),
        model_bytes=base.model_bytes + own,
    )


def spec(name: str) -> MethodSpec:
    """Return the spec."""
    return DcclSpec(
        name=name,
        summary="patches of a shared basis times a metapatch, trained on the phone, distilled on the cloud",
        exchange=(UP_UPDATE, UP_REPORT),
        cloud="chordsim.methods.dccl.cloud:DcclCloud",
        device="chordsim.methods.dccl.device:DcclDevice",
        by_budgets=False,
        cached="rows",
        defaults={
            "hidden": 8,
            "rank": 8,
            "steps": 3,
            "rate": 0.5,
            "positions": 10,
            "horizon": 12,
            "distil_steps": 20,
            "distil_rate": 2e-4,
        },
        allowed={
            **ON_PHONE,
            "hidden": (1, 4096),
            "rank": (1, 1024),
            "horizon": (1, 1000),
            "distil_steps": (0, 10_000),
            "distil_rate": (0, 10),
        },
        needs_autograd=True,
        learns=True,
        buffers=True,
        backbones=("sasrec",),
        renews=("weights", "patches"),
    )
