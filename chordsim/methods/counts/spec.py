"""Specs of `popularity` and `markov`: no network, the bootstrap ships counts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chordsim.methods import UP_REPORT, Budgets, Cost, MethodContext, MethodSpec, Needs


def counts_tables(context: MethodContext) -> dict[str, tuple[int, ...]]:
    """Return the tensors that `popularity` and `markov` ship, by name, and their shapes."""
    n = context.n_items + 1
    if "successors" not in context.settings:
        return {"counts": (n,)}
    kept = min(int(context.settings["successors"]), context.n_items)
    return {"counts": (n,), "successors": (n, kept), "times": (n, kept)}


def counts_cost(context: MethodContext, rows: int) -> Cost:
    """Return the cost of the tables and one row of scores; a lookup multiplies nothing."""
    from chordsim.quant.costs import same_for_all

    stored = 4 * sum(int(np.prod(shape)) for shape in counts_tables(context).values())
    return same_for_all(
        rows, macs=0, bitops=0, peak_memory_bytes=stored + 4 * ((context.ranked or context.n_items) + 1), model_bytes=stored
    )


@dataclass(frozen=True)
class CountsSpec(MethodSpec):
    """A method whose phones look counts up."""

    def needs(self, context: MethodContext, budgets: Budgets) -> Needs:
        """Return the memory of the tables."""
        from chordsim.quant.costs import on_device

        return on_device(counts_cost(context, budgets.memory_bytes.size), budgets, np.nan)


def popularity(name: str) -> MethodSpec:
    """Return the control that shows everybody the most popular items."""
    return CountsSpec(
        name=name,
        summary="control: how often each item occurs, shipped once",
        exchange=(UP_REPORT,),
        cloud="chordsim.methods.counts.cloud:PopularityCloud",
        device="chordsim.methods.counts.device:PopularityDevice",
        by_budgets=False,
        cached="nothing",
    )


def markov(name: str) -> MethodSpec:
    """Return the control that looks at the last item alone."""
    return CountsSpec(
        name=name,
        summary="control: what most often follows the last item, shipped once",
        exchange=(UP_REPORT,),
        cloud="chordsim.methods.counts.cloud:MarkovCloud",
        device="chordsim.methods.counts.device:MarkovDevice",
        by_budgets=False,
        cached="nothing",
        defaults={"successors": 50},
        allowed={"successors": (1, 10_000)},
    )
