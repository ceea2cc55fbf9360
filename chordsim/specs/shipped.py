"""Specs of `fp32`, `uniform-k` and `int8`: one model, the same for every phone, shipped once in the bootstrap."""

from __future__ import annotations

from dataclasses import replace

from chordsim.errors import ScenarioError
from chordsim.methods import UP_REPORT, MethodSpec

WIDTHS = (2, 4, 8)


def fp32(name: str) -> MethodSpec:
    """Return the full-precision reference."""
    return MethodSpec(
        name, "trained weights at full precision, shipped once", (UP_REPORT,),
        "server.methods.shipped:ShippedCloud", "clients.methods.shipped:ShippedDevice", {"bits": 32},
    )  # fmt: skip


def int8(name: str) -> MethodSpec:
    """Return post-training quantization at 8 bits: `uniform-8` under the name that most people know."""
    return replace(uniform("uniform-8"), name=name)


def uniform(name: str) -> MethodSpec:
    """Return post-training quantization of the reference at k bits for every channel.

    Raises:
        ScenarioError: k is not 2, 4 or 8.
    """
    bits = int(name.rsplit("-", 1)[1]) if name.rsplit("-", 1)[1].isdigit() else 0
    if bits not in WIDTHS:
        raise ScenarioError(f"method {name!r}: uniform-k comes with k = {', '.join(map(str, WIDTHS))}")
    return MethodSpec(
        name, f"trained weights rounded to {bits} bits, shipped once", (UP_REPORT,),
        "server.methods.shipped:ShippedCloud", "clients.methods.shipped:ShippedDevice", {"bits": bits},
    )  # fmt: skip
