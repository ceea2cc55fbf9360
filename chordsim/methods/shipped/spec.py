"""Specs of `fp32`, `uniform-k` and `int8`: one model, the same for every phone, shipped once in the bootstrap."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from chordsim.methods import UP_REPORT, Budgets, MethodContext, MethodSpec, Needs, number_of
from chordsim.nets.shapes import shapes_of
from chordsim.quant.costs import WIDTHS, shipped_cost

#: Bits to which what weights are multiplied with may be rounded; 32 does not.
ACTIVATIONS = (2, 32)


def activation_bits(context: MethodContext) -> int:
    """Return the bits to which a method rounds what its weights are multiplied with."""
    return int(context.settings.get("activation_bits", 32))


@dataclass(frozen=True)
class ShippedSpec(MethodSpec):
    """A method whose phones all hold the same model."""

    def needs(self, context: MethodContext, budgets: Budgets) -> Needs:
        """Return the one cost, and who cannot bear it."""
        from chordsim.quant.budget import refusals

        rows, bits = budgets.memory_bytes.size, int(context.settings["bits"])
        cost = shipped_cost(shapes_of(context.backbone, context.n_items, context.ranked), bits, rows, activation_bits(context))
        refusal = refusals(cost.peak_memory_bytes, cost.macs, budgets)
        return Needs(cost, refusal, "device", refusal, np.full(rows, float(bits)), cost.macs)


def fp32(name: str) -> MethodSpec:
    """Return the full-precision reference."""
    return ShippedSpec(
        name=name,
        summary="trained weights at full precision, shipped once",
        exchange=(UP_REPORT,),
        cloud="chordsim.methods.shipped.cloud:ShippedCloud",
        device="chordsim.methods.shipped.device:ShippedDevice",
        by_budgets=False,
        cached="rows",
        defaults={"bits": 32},
        allowed={"bits": (32, 32)},
    )


def int8(name: str) -> MethodSpec:
    """Return post-training quantization at 8 bits: `uniform-8` under the name that most people know."""
    return replace(uniform("uniform-8"), name=name)


def uniform(name: str) -> MethodSpec:
    """Return post-training quantization of the reference at k bits for every channel.

    Raises:
        ScenarioError: k is not 2, 4 or 8.
    """
    bits = number_of(name, WIDTHS, ", ".join(map(str, WIDTHS)))
    return ShippedSpec(
        name=name,
        summary=f"trained weights rounded to {bits} bits, shipped once",
        exchange=(UP_REPORT,),
        cloud="chordsim.methods.shipped.cloud:ShippedCloud",
        device="chordsim.methods.shipped.device:ShippedDevice",
        by_budgets=False,
        cached="rows",
        defaults={"bits": bits, "activation_bits": 32},
        allowed={"bits": (bits, bits), "activation_bits": ACTIVATIONS},
    )
