"""Spec of `qat-k`: one quantized model, the same for every phone, shipped once.

Source: quantization-aware training with straight-through gradients (Bengio et al. 2013; Jacob et al. 2018).
Published: weights rounded in the forward pass, gradients as if they were not.
Inference: it trains on from `fp32` at a tenth of the rates; scales of a channel follow from its weights, by least squared error.
Left out: learnt steps (LSQ), rounded activations.
"""

from __future__ import annotations

from chordsim.methods import UP_REPORT, MethodSpec, number_of
from chordsim.methods.shipped.spec import ShippedSpec
from chordsim.quant.costs import WIDTHS


def qat(name: str) -> MethodSpec:
    """Return quantization-aware training at k bits.

    Raises:
        ScenarioError: k is not 2, 4 or 8.
    """
    bits = number_of(name, WIDTHS, ", ".join(map(str, WIDTHS)))
    return ShippedSpec(
        name=name,
        summary=f"trained on from fp32 with weights rounded to {bits} bits, shipped once",
        exchange=(UP_REPORT,),
        cloud="chordsim.methods.qat.cloud:QatCloud",
        device="chordsim.methods.shipped.device:ShippedDevice",
        by_budgets=False,
        cached="rows",
        defaults={"bits": bits},
        allowed={"bits": (bits, bits)},
    )
