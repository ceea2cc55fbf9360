"""Spec of `cda4rec`: a planner splits each user's work between cloud retrieval and re-ranking on the phone.

Source: CDA4Rec (arXiv 2509.01551), abstract. A stand-in for its agents: CDA4Rec-style, never called the paper's.
Published: a language model on the cloud and a small one on the phone; the cloud writes an execution plan per user;
candidate retrieval and final ranking are sub-tasks that run on either side by compute need and privacy.
Inference: the planner is a rule (short history: the cloud ranks; else the phone), retrieval is the
trained full-precision SASRec, the phone's model a GRU of its own narrow item table, the two orders are joined by
reciprocal rank fusion. With `short_history = 0` everybody's orders are joined: the control that needs no planner.
Left out: language models, user abstracts, intent embeddings, behaviour patterns in words.

The history goes up before candidates come down, since a cloud that keeps no user state cannot retrieve without it.
Where a part ran shows in the ledger: `cloud_macs` against `macs`, candidates against prescription bytes.
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
    Leg,
    MethodContext,
    MethodSpec,
    Needs,
)
from chordsim.quant.costs import on_device
from chordsim.wire.ids import id_bytes


@dataclass(frozen=True)
class Cda4RecSpec(MethodSpec):
    """History up; candidates or the list down.

    Attributes:
        route: Where everybody is ranked: ``phone``, ``cloud``, or as the planner's rule has it.
    """

    route: str = ""

    def ends(self, context: MethodContext) -> tuple[MethodSpec, MethodSpec]:
        """Return all on the cloud, and all on the phone; a window too short for the rule leaves all on the cloud."""
        cloud, phone = replace(self, route="cloud"), replace(self, route="phone")
        return cloud, phone if context.backbone.max_len >= int(context.settings["short_history"]) else cloud

    def sizes(self, context: MethodContext, who: Batch) -> dict[Leg, Ints]:
        """Return the most that each leg takes: the window up, candidates or the list (and a byte of plan) down."""
        one, listed = id_bytes(context.n_items), min(int(context.settings["list_length"]), context.n_items)
        sizes = {
            UP_PROFILE: one * context.backbone.max_len,
            DOWN_CANDIDATES: 0 if self.route == "cloud" else one * listed,
            DOWN_PRESCRIPTION: 1 if self.route == "phone" else 1 + one * listed,
        }
        return {leg: np.full(len(who), size, np.int64) for leg, size in sizes.items()}

    def needs(self, context: MethodContext, budgets: Budgets) -> Needs:
        """Return what the ranker takes, or the list alone where everybody is ranked on the cloud."""
        phone = np.full(budgets.memory_bytes.size, self.route != "cloud")
        needs = on_device(routed_cost(context, phone), budgets, 32.0 if self.route != "cloud" else np.nan)
        return needs if self.route else replace(needs, least_macs=np.zeros_like(needs.least_macs))


def routed_cost(context: MethodContext, phone: Bools) -> Cost:
    """Return what one request takes: the ranker where it runs [D], the list alone where it does not."""
    from chordsim.methods.cda4rec.net import ranker_macs, ranker_size

    width, length = int(context.settings["width"]), context.backbone.max_len
    listed = min(int(context.settings["list_length"]), context.n_items)
    stored, ids = 4 * ranker_size(context.n_items, width), listed * id_bytes(context.n_items)
    macs = np.where(phone, ranker_macs(length, width, listed), 0).astype(np.int64)
    peak = np.where(phone, stored + ids + 4 * (length * width + 4 * width + listed), ids).astype(np.int64)
    model = np.full(phone.size, stored, np.int64)
    return replace(Cost.zero(phone.size), macs=macs, bitops=macs * 32 * 32, peak_memory_bytes=peak, model_bytes=model)


def spec(name: str) -> MethodSpec:
    """Return the spec."""
    return Cda4RecSpec(
        name=name,
        summary="a planner routes each user to the cloud's list or to re-ranking on the phone",
        exchange=(UP_PROFILE, DOWN_CANDIDATES, DOWN_PRESCRIPTION, UP_REPORT),
        cloud="chordsim.methods.cda4rec.cloud:Cda4RecCloud",
        device="chordsim.methods.cda4rec.device:Cda4RecDevice",
        by_budgets=False,
        not_cached="lists in the middle of a session, from the history that the phone sends, and ranks with a table of its own",
        ranks="list",
        defaults={"list_length": 100, "short_history": 30, "width": 32},
        allowed={"list_length": (1, 10_000), "short_history": (0, 100_000), "width": (1, 4096)},
    )
