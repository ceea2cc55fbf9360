"""Spec of `cda4rec`: a planner splits each user's work between cloud retrieval and re-ranking on the phone.

Source: CDA4Rec (arXiv 2509.01551), abstract. A stand-in for its agents: CDA4Rec-style, never called the paper's.
Published: a language model on the cloud and a small one on the phone; the cloud writes an execution plan per user;
candidate retrieval and final ranking are sub-tasks that run on either side by compute need and privacy.
Inference and stand-ins: the planner is a rule (short history: the cloud ranks; else the phone), retrieval is the
trained full-precision SASRec, the phone's model a GRU of its own narrow item table, the two orders are joined by
reciprocal rank fusion. Left out: user abstracts, intent embeddings, behaviour patterns in words.
The history goes up before candidates come down, since a cloud that keeps no user state cannot retrieve without it.
Where a part ran shows in the ledger: `cloud_macs` against `macs`, candidates against prescription bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from chordsim.methods import DOWN_CANDIDATES, DOWN_PRESCRIPTION, UP_PROFILE, UP_REPORT, Batch, Leg, MethodContext, MethodSpec
from chordsim.nets.cda4rec import on_phone
from chordsim.ragged import Ints, Ragged
from chordsim.wire.ids import id_bytes, unpack_ids


@dataclass(frozen=True)
class Cda4RecSpec(MethodSpec):
    """History up; candidates or the list down."""

    def sizes(self, context: MethodContext, who: Batch) -> dict[Leg, Ints]:
        """Return the most that each leg takes: the window up, candidates or the list (and a byte of plan) down."""
        one, listed = id_bytes(context.n_items), min(int(context.settings["list_length"]), context.n_items)
        sizes = {UP_PROFILE: one * context.backbone.max_len, DOWN_CANDIDATES: one * listed, DOWN_PRESCRIPTION: 1 + one * listed}
        return {leg: np.full(len(who), size, np.int64) for leg, size in sizes.items()}

    def exact_sizes(self, context: MethodContext, who: Batch, told: Mapping[Leg, Ragged]) -> dict[Leg, Ints]:
        """Return the sizes for the routes that the histories in the profiles give."""
        most = self.sizes(context, who)
        history, _ = unpack_ids(told[UP_PROFILE], context.backbone.max_len, context.n_items)
        phone = on_phone((history > 0).sum(1), int(context.settings["short_history"]))
        return {
            UP_PROFILE: most[UP_PROFILE],
            DOWN_CANDIDATES: np.where(phone, most[DOWN_CANDIDATES], 0),
            DOWN_PRESCRIPTION: np.where(phone, 1, most[DOWN_PRESCRIPTION]),
        }


def spec(name: str) -> MethodSpec:
    """Return the spec."""
    return Cda4RecSpec(
        name, "a planner routes each user to the cloud's list or to re-ranking on the phone",
        (UP_PROFILE, DOWN_CANDIDATES, DOWN_PRESCRIPTION, UP_REPORT),
        "server.methods.cda4rec:Cda4RecCloud", "clients.methods.cda4rec:Cda4RecDevice",
        {"list_length": 100, "short_history": 30, "width": 32},
    )  # fmt: skip
