"""Specs of `fp32`, `uniform-k` and `int8`: one model, the same for every phone, shipped once in the bootstrap."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from chordsim.errors import ScenarioError
from chordsim.methods import UP_REPORT, Budgets, Cost, MethodContext, MethodSpec, Needs, number_of
from chordsim.nets.kinds import EXTRACTORS
from chordsim.nets.reads import LONGEST, READS, WORDS, are_lengths, held_bytes, reach_of
from chordsim.nets.shapes import shapes_of
from chordsim.quant.costs import WIDTHS, on_device, shipped_cost

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


@dataclass(frozen=True)
class ReferenceSpec(ShippedSpec):
    """The full-precision reference, which may be told its user on the phone: then it is trained anew, from the reference on."""

    def as_set(self, settings: Mapping[str, Any]) -> MethodSpec:
        """Return the method with the settings of a reader of users where ``user_input`` is given, and as one that reads where it is true.

        Without, it has none of these settings, so that nobody has to leave them alone.
        """
        if "user_input" not in settings:
            return self
        made = replace(self, defaults={**self.defaults, **_READER}, allowed={**self.allowed, **_READS})
        if settings["user_input"] is not True:
            return made
        halves = {part: f"chordsim.methods.shipped.vector.{part}:Vector{part.title()}" for part in ("cloud", "device")}
        return ToldSpec(**{**vars(made), **halves, "reach": reach_of(settings.get("reads"))})


@dataclass(frozen=True)
class ToldSpec(ReferenceSpec):
    """The full-precision model whose inputs the vector of the phone's own extractor joins; no byte a session."""

    def check(self, settings: Mapping[str, Any]) -> None:
        """Refuse lengths that are none, or that the extractor does not take."""
        if not are_lengths(settings["reads"]):
            raise ScenarioError(f"settings.{self.name}.reads: must be {WORDS}, not {reprlib.repr(settings['reads'])}")
        if tuple(settings["reads"]) != READS and settings["extractor"] != "mean":
            raise ScenarioError(f'settings.{self.name}.reads is of settings.{self.name}.extractor = "mean" alone')

    def needs(self, context: MethodContext, budgets: Budgets) -> Needs:
        """Return the one cost, and who cannot bear it."""
        return on_device(told_cost(context, budgets.memory_bytes.size), budgets, 32.0)


#: Of `fp32` with ``user_input``.
_READER: Mapping[str, Any] = {"user_input": False, "profile_dim": 64, "extractor": "mean", "reads": list(READS), "horizon": 12}
_READS: Mapping[str, Any] = {"profile_dim": (1, 4096), "extractor": EXTRACTORS, "reads": (1, LONGEST), "horizon": (1, 1000)}


def told_cost(context: MethodContext, rows: int) -> Cost:
    """Return the shipped model's cost, with the extractor and the matrix at every request, and the ids of older items that are read."""
    from chordsim.nets import user_input
    from chordsim.nets.extractor import size

    s, dim, reads = context.settings, context.backbone.dim, tuple(context.settings["reads"])
    width = int(s["profile_dim"])
    base = shipped_cost(shapes_of(context.backbone, context.n_items, context.ranked), 32, rows)
    parameters, read = size(s["extractor"], dim, width, reads)
    kept = 4 * parameters + user_input.stored_bytes(dim, width, 32) + held_bytes(reads, context.backbone.max_len, context.n_items)
    macs = read + dim * width
    return replace(
        base,
        macs=base.macs + macs,
        bitops=base.bitops + macs * 32**2,
        model_bytes=base.model_bytes + kept,
        peak_memory_bytes=base.peak_memory_bytes + kept,
    )


def fp32(name: str) -> MethodSpec:
    """Return the full-precision reference."""
    return ReferenceSpec(
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
