"""Spec of `dccl`: small patches trained on the phone, distilled on the cloud.

Source: DCCL (KDD 2021, arXiv 2104.06624), abstract and a reader's notes.
Published: the cloud model is frozen on the phone; patches between its layers have parameters that factor into a
global basis times a metapatch; the phone trains the metapatch alone, by cross-entropy and backpropagation; on the
cloud the model learns from its data and by distillation from all device models (model over models), then the basis
is learnt by distilling device models into proxies whose metapatch an auxiliary encoder gives.
Inference: a patch is an adapter of a few hidden units beside each block's feed-forward; rank 8; the encoder is a
mean-pooling reader; the cloud pairs received metapatches with histories of its own logs in order, since an update
does not say whose it is; temperature 1. The basis is learnt with the encoder before the first round.
Each round starts from the shipped metapatch again. Left out: user profiles as input of the encoder.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chordsim.methods import UP_REPORT, UP_UPDATE, Batch, Leg, MethodContext, MethodSpec
from chordsim.ragged import Ints


@dataclass(frozen=True)
class DcclSpec(MethodSpec):
    """Metapatches up."""

    def sizes(self, context: MethodContext, who: Batch) -> dict[Leg, Ints]:
        """Return 4 bytes per number of every block's metapatch."""
        return {UP_UPDATE: np.full(len(who), 4 * context.backbone.blocks * int(context.settings["rank"]), np.int64)}


def spec(name: str) -> MethodSpec:
    """Return the spec."""
    return DcclSpec(
        name, "patches of a shared basis times a metapatch, trained on the phone, distilled on the cloud", (UP_UPDATE, UP_REPORT),
        "server.methods.dccl:DcclCloud", "clients.methods.dccl:DcclDevice",
        {"hidden": 8, "rank": 8, "steps": 3, "rate": 0.05, "positions": 10, "horizon": 12, "distil_steps": 20, "distil_rate": 2e-4},
        needs_autograd=True, learns=True, backbones=("sasrec",), renews=("weights", "patches"),
    )  # fmt: skip
