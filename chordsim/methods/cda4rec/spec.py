"""Spec of `cda4rec`: a planner splits each user's work between cloud retrieval and re-ranking on the phone.

Source: CDA4Rec (arXiv 2509.01551), abstract. A stand-in for its agents: CDA4Rec-style, never called the paper's.
Published: a language model on the cloud and a small one on the phone; the cloud writes an execution plan per user;
candidate retrieval and final ranking are sub-tasks that run on either side by compute need and privacy.
Inference: the planner is a rule (short history: the cloud ranks; else the phone), retrieval is the
trained full-precision SASRec, the phone's model a GRU of its own narrow item table, the two orders are joined by
reciprocal rank fusion. With `short_history = 0` everybody's orders are joined: the control that needs no planner.
Where the catalogue stays in the cloud, the protocol lists, the SASRec puts that list in order for the history that went up, and the
GRU reads the SASRec's own rows, which the phone holds, through one learnt projection to its width and back, in place of a table.
Left out: language models, user abstracts, intent embeddings, behaviour patterns in words.

The history goes up before candidates come down, since a cloud that keeps no user state cannot retrieve without it.
Where the catalogue stays in the cloud, a byte of plan comes down with an order of the list, a place for each item, for whoever ranks: a
phone joins that order with its own, and a user who is left to the cloud sees it. Everybody asks for rows, as under every method, since the
plan comes later.
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

    def where_cached(self) -> MethodSpec:
        """Return the method where the catalogue stays in the cloud: the candidates are the protocol's, and the cloud says their order."""
        return replace(
            self,
            exchange=tuple(leg for leg in self.exchange if leg != DOWN_CANDIDATES),
            cloud="chordsim.methods.cda4rec.cached.cloud:Cda4RecCachedCloud",
            device="chordsim.methods.cda4rec.cached.device:Cda4RecCachedDevice",
            reads_lists=True,
        )

    def ends(self, context: MethodContext) -> tuple[MethodSpec, MethodSpec]:
        """Return all on the cloud, and all on the phone; a window too short for the rule leaves all on the cloud."""
        cloud, phone = replace(self, route="cloud"), replace(self, route="phone")
        return cloud, phone if context.backbone.max_len >= int(context.settings["short_history"]) else cloud

    def sizes(self, context: MethodContext, who: Batch) -> dict[Leg, Ints]:
        """Return the most that each leg takes: the window up, candidates or the list (and a byte of plan) down.

        Where the catalogue stays in the cloud, the plan comes with an order of the list, whoever ranks.
        """
        one, listed = id_bytes(context.n_items), listed_items(context)
        if self.reads_lists:
            from chordsim.methods.cda4rec.cached.net import order_bytes

            down = np.full(len(who), order_bytes(listed), np.int64)
            return {UP_PROFILE: np.full(len(who), one * context.backbone.max_len, np.int64), DOWN_PRESCRIPTION: down}
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


def listed_items(context: MethodContext) -> int:
    """Return how many items a phone is offered: the method's own setting, or where the catalogue stays in the cloud, the protocol's."""
    own = context.backbone.items == "owned"
    return min(int(context.settings["list_length"]) if own else context.ranked, context.n_items)


def routed_cost(context: MethodContext, phone: Bools) -> Cost:
    """Return what one request takes: the ranker where it runs [D], the list alone where it does not."""
    from chordsim.methods.cda4rec.net import ranker_macs, ranker_size

    if context.backbone.items == "cached":
        return _cost_over_rows(context, phone)
    width, length, listed = int(context.settings["width"]), context.backbone.max_len, listed_items(context)
    stored, ids = 4 * ranker_size(context.n_items, width), listed * id_bytes(context.n_items)
    live = 4 * (length * width + 4 * width + listed)
    return _cost(phone, ranker_macs(length, width, listed), stored, ids, live)


def _cost_over_rows(context: MethodContext, phone: Bools) -> Cost:
    """Return the same where the catalogue stays in the cloud: rows of the cache, and a ranker without a table."""
    from chordsim.methods.cda4rec.cached.net import order_bytes, ranker_macs, ranker_size
    from chordsim.nets.embeddings import table_bytes

    config, width, listed = context.backbone, int(context.settings["width"]), listed_items(context)
    stored = table_bytes(config.cache_rows, config.dim, config.embedding_bits, whole=False) + 4 * ranker_size(config.dim, width)
    shown = listed * id_bytes(context.n_items) + order_bytes(listed)
    live = 4 * (config.max_len * width + 4 * width + config.dim + listed)
    return _cost(phone, ranker_macs(config.max_len, config.dim, width, listed), stored, shown, live)


def _cost(phone: Bools, macs: int, stored: int, shown: int, live: int) -> Cost:
    """Return the cost of requests [D]: a ranker's operations and memory where it runs, what is shown everywhere."""
    spent = np.where(phone, macs, 0).astype(np.int64)
    peak = np.where(phone, stored + shown + live, shown).astype(np.int64)
    model = np.full(phone.size, stored, np.int64)
    return replace(Cost.zero(phone.size), macs=spent, bitops=spent * 32 * 32, peak_memory_bytes=peak, model_bytes=model)


def spec(name: str) -> MethodSpec:
    """Return the spec."""
    return Cda4RecSpec(
        name=name,
        summary="a planner routes each user to the cloud's list or to re-ranking on the phone",
        exchange=(UP_PROFILE, DOWN_CANDIDATES, DOWN_PRESCRIPTION, UP_REPORT),
        cloud="chordsim.methods.cda4rec.cloud:Cda4RecCloud",
        device="chordsim.methods.cda4rec.device:Cda4RecDevice",
        by_budgets=False,
        cached="rows",
        ranks="list",
        defaults={"list_length": 100, "short_history": 30, "width": 32},
        allowed={"list_length": (1, 10_000), "short_history": (0, 100_000), "width": (1, 4096)},
    )
