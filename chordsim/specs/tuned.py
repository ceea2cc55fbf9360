"""Specs of `qat-k` and `static-mixed`: quantized models that are the same for every phone, shipped once.

`qat-k` trains on from `fp32` with weights rounded to k bits in the forward pass and straight-through gradients.
`static-mixed` gives every channel 2, 4 or 8 bits by the relative rounding error that each width leaves, under a
mean of ``bits``, the same plan for all; with ``tuning = true`` the weights are trained on under that plan.
"""

from __future__ import annotations

from chordsim.errors import ScenarioError
from chordsim.methods import UP_REPORT, MethodSpec
from chordsim.specs.shipped import WIDTHS


def qat(name: str) -> MethodSpec:
    """Return quantization-aware training at k bits.

    Raises:
        ScenarioError: k is not 2, 4 or 8.
    """
    bits = int(name.rsplit("-", 1)[1]) if name.rsplit("-", 1)[1].isdigit() else 0
    if bits not in WIDTHS:
        raise ScenarioError(f"method {name!r}: qat-k comes with k = {', '.join(map(str, WIDTHS))}")
    return MethodSpec(
        name, f"trained on from fp32 with weights rounded to {bits} bits, shipped once", (UP_REPORT,),
        "server.methods.tuned:QatCloud", "clients.methods.shipped:ShippedDevice", {"bits": bits},
    )  # fmt: skip


def static_mixed(name: str) -> MethodSpec:
    """Return one mixed-precision plan for all."""
    return MethodSpec(
        name, "one plan of 2, 4 or 8 bits per channel for all, by rounding error, shipped once", (UP_REPORT,),
        "server.methods.tuned:MixedCloud", "clients.methods.tuned:MixedDevice", {"bits": 3.0, "tuning": True},
    )  # fmt: skip
