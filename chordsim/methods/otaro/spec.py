"""Spec of `otaro`: one model for all widths; each phone drops mantissa bits until it fits. Not personalised.

Source: OTARo (arXiv 2511.13147), abstract and a secondary review; there for language models.
Published: a group of weights shares its largest exponent, mantissas are truncated, so that a lower precision is
the same bytes with bits dropped and no scale of its own; straight-through gradients; the width of each step is
chosen by a score that explores and exploits; at low widths gradients are accumulated and applied late.
Inference: groups of 64 along the fan-in; widths 8, 4, 3 and 2; the score of a width is the running norm of its
gradient as a share of what is usual for it (what there is left to learn there) plus an upper confidence term (`explore`), and each
width gets half of an even share at least (`floor`); at 3 bits and less `late` steps of all parameters are accumulated. Training starts
from `fp32`, as the paper fine-tunes. The phone takes the widest width that its budgets allow.
Left out: language models and their widths of exponent.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from chordsim.arrays import Bools, Ints
from chordsim.methods import UP_REPORT, Budgets, Cost, Given, MethodContext, MethodSpec, Needs
from chordsim.nets.shapes import shapes_of


def width_cost(context: MethodContext, bits: Ints) -> Cost:
    """Return what one request takes at these widths [D]; dropped bits are not stored."""
    from chordsim.methods.otaro import net as sefp
    from chordsim.nets import footprint

    shapes, rows = shapes_of(context.backbone, context.n_items, context.ranked), bits.size
    exponents = sum(n.channels * sefp.groups(n.fan_in) for n in shapes.layers)
    stored = footprint.packed_bytes(shapes.weights * bits) + exponents
    macs = np.full(rows, footprint.dense_macs(shapes), np.int64)
    bitops = int(footprint.channel_macs(shapes).sum()) * bits * 32 + footprint.fixed_macs(shapes) * 32 * 32
    adapt = np.full(rows, shapes.weights, np.int64)
    peak = footprint.fixed_bytes(shapes) + stored + footprint.row_buffer_bytes(shapes)
    return replace(
        Cost.zero(rows),
        macs=macs,
        bitops=bitops,
        adapt_macs=adapt,
        peak_memory_bytes=peak,
        model_bytes=footprint.embedding_bytes(shapes) + stored,
    )


def widths_of(context: MethodContext) -> Ints:
    """Return the widths in bits, ascending."""
    return np.array(sorted(int(w) for w in context.settings["widths"]), np.int64)


def choose(context: MethodContext, budgets: Budgets) -> Ints:
    """Return the place of the widest width that each phone's memory and bits allow, 0 where none does, [D]."""
    chosen = np.zeros(budgets.memory_bytes.size, np.int64)
    for place, bits in enumerate(widths_of(context)):
        needed = width_cost(context, np.full(chosen.size, bits)).peak_memory_bytes
        chosen[(needed <= budgets.memory_bytes) & (bits <= budgets.bits)] = place
    return chosen


@dataclass(frozen=True)
class OtaroSpec(MethodSpec):
    """One model, as wide as each phone bears."""

    def needs(self, context: MethodContext, budgets: Budgets) -> Needs:
        """Return what the width that a phone chooses takes."""
        from chordsim.quant.costs import on_device

        bits = widths_of(context)[choose(context, budgets)]
        return on_device(width_cost(context, bits), budgets, bits.astype(np.float64))

    def unchanged(self, context: MethodContext, then: Given, now: Budgets, before: Budgets) -> Bools:
        """Return which phones would choose the width that they chose."""
        return np.asarray(choose(context, now) == choose(context, before))


def spec(name: str) -> MethodSpec:
    """Return the spec."""
    return OtaroSpec(
        name=name,
        summary="one model trained for all widths; a phone truncates mantissas to what fits",
        exchange=(UP_REPORT,),
        cloud="chordsim.methods.otaro.cloud:OtaroCloud",
        device="chordsim.methods.otaro.device:OtaroDevice",
        cached="rows",
        by_budgets=True,
        defaults={"widths": [2, 3, 4, 8], "late": 4, "explore": 0.5, "floor": 0.5},
        allowed={"widths": (2, 8), "late": (1, 1000), "explore": (0, 1000), "floor": (0, 1)},
    )
