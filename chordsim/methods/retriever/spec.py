"""Spec of `retriever`: the cloud's own order of its candidates, shown as it comes; the floor of every table that re-ranks.

The list is that of `protocol.retriever`: its ids are sent each session; no model runs on the phone, and no row is read. Where all items are
ranked, a target that is not listed is a miss, as with every method that shows a list.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from chordsim.config.model import LONGEST_LIST
from chordsim.methods import UP_REPORT, Budgets, Cost, MethodContext, MethodSpec, Needs
from chordsim.wire.ids import id_bytes


@dataclass(frozen=True)
class RetrieverSpec(MethodSpec):
    """Nothing of its own crosses the link."""

    def needs(self, context: MethodContext, budgets: Budgets) -> Needs:
        """Return the memory of the list."""
        from chordsim.quant.costs import on_device

        return on_device(list_cost(context, budgets.memory_bytes.size), budgets, np.nan)


def longest(context: MethodContext) -> int:
    """Return how long a list is, or where it is not what phones rank, may be."""
    return min(context.ranked or LONGEST_LIST, context.n_items)


def list_cost(context: MethodContext, rows: int) -> Cost:
    """Return what showing the list takes: the memory of its ids."""
    held = np.full(rows, longest(context) * id_bytes(context.n_items), np.int64)
    return replace(Cost.zero(rows), peak_memory_bytes=held)


def spec(name: str) -> MethodSpec:
    """Return the spec."""
    return RetrieverSpec(
        name=name,
        summary="control: the cloud's candidates in the cloud's own order",
        exchange=(UP_REPORT,),
        cloud="chordsim.methods.retriever.cloud:RetrieverCloud",
        device="chordsim.methods.retriever.device:RetrieverDevice",
        by_budgets=False,
        ranks="candidates",
        cached="nothing",
    )
