"""Spec of `qat-k`: one quantized model, the same for every phone, shipped once.

Source: quantization-aware training with straight-through gradients (Bengio et al. 2013; Jacob et al. 2018); learnt step sizes (LSQ, Esser
et al. 2020, arXiv 1902.08153).
Published: weights rounded in the forward pass, gradients as if they were not. With ``steps = "learnt"`` each step size is a parameter: its
gradient is round(w / s) - w / s inside the range and the range's end outside, times 1 / sqrt(weights of the step x largest level).
Inference: it trains on from `fp32` at a tenth of the rates, learnt steps too; scales of a channel follow from its weights, by least squared
error, and learnt ones start there; one step for each channel. ``activation_bits`` rounds what weights are multiplied with.
Left out: learnt steps of activations, whose scales follow from each vector.
"""

from __future__ import annotations

from chordsim.methods import UP_REPORT, MethodSpec, number_of
from chordsim.methods.shipped.spec import ACTIVATIONS, ShippedSpec
from chordsim.quant.costs import WIDTHS

#: Where scales of channels come from: least squared error, or training.
STEPS = ("error", "learnt")


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
        defaults={"bits": bits, "activation_bits": 32, "steps": "error"},
        allowed={"bits": (bits, bits), "activation_bits": ACTIVATIONS, "steps": STEPS},
    )
