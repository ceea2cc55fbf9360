"""Spec of `finetune`: the shipped model takes gradient steps on the phone before it ranks.

The plain control of every method that adapts with backpropagation on the phone. Nothing but the bootstrap crosses
the link. Each round starts from the shipped model again: a phone keeps no weights of its own between rounds.
"""

from __future__ import annotations

from dataclasses import dataclass

from chordsim.methods import UP_REPORT, Budgets, MethodContext, MethodSpec, Needs

#: What settings of training on the phone may be (`MethodSpec.allowed`).
ON_PHONE = {"steps": (1, 1000), "rate": (0, 10), "positions": (1, 1000)}


@dataclass(frozen=True)
class FinetuneSpec(MethodSpec):
    """A shipped model that every phone trains."""

    def needs(self, context: MethodContext, budgets: Budgets) -> Needs:
        """Return what a request and the steps before it take."""
        from chordsim.quant.costs import finetuned, on_device

        return on_device(finetuned(context, budgets.memory_bytes.size), budgets, 32.0)


def spec(name: str) -> MethodSpec:
    """Return the spec."""
    return FinetuneSpec(
        name=name,
        summary="the shipped model, fine-tuned on the phone with its own recent history",
        exchange=(UP_REPORT,),
        cloud="chordsim.methods.shipped.cloud:ShippedCloud",
        device="chordsim.methods.finetune.device:FinetuneDevice",
        by_budgets=False,
        cached="rows",
        defaults={"bits": 32, "steps": 3, "rate": 0.05, "positions": 10},
        allowed={"bits": (32, 32), **ON_PHONE},
        needs_autograd=True,
    )
