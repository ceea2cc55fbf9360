"""Spec of `frozen-k`: the random backbone of `chord` at k bits for every channel, the same for all, without any plan.

The control that tells what a plan adds: embeddings are trained over frozen random weights as they are at k bits, from the start, with the
windows and the steps that `chord` has, and nothing is sent but a bootstrap. It takes the settings of `chord` where the scenario has it, so
`frozen-3` against `chord` at 3 stored bits differ in the plan alone (and in what a plan needs: extractor, round trip, hypernetwork).
As for `chord`, embeddings that start from the reference move at full rates: what they stand before is not trained.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chordsim.methods import UP_REPORT, Budgets, Cost, MethodContext, MethodSpec, Needs, number_of
from chordsim.methods.shipped.spec import ACTIVATIONS, activation_bits
from chordsim.nets.kinds import LAWS
from chordsim.nets.shapes import shapes_of

#: Widths of a channel: those of a plan's codes, and the one that plans store on average.
WIDTHS = (2, 3, 4, 8)
STARTS = ("scratch", "reference")


@dataclass(frozen=True)
class FrozenSpec(MethodSpec):
    """A random network that all phones draw alike."""

    def needs(self, context: MethodContext, budgets: Budgets) -> Needs:
        """Return the one cost, and who cannot bear it."""
        from chordsim.quant.costs import on_device

        return on_device(frozen_cost(context, budgets.memory_bytes.size), budgets, float(context.settings["width"]))


def frozen_cost(context: MethodContext, rows: int) -> Cost:
    """Return what one request takes, with the books of a plan whose channels all have one width.

    Weights are drawn and rounded once, at installation, so no session pays for it; scales follow from weights and width.
    """
    from chordsim.nets import footprint
    from chordsim.quant.costs import same_for_all

    shapes, bits = shapes_of(context.backbone, context.n_items, context.ranked), int(context.settings["width"])
    packed = int(footprint.packed_bytes(np.asarray(shapes.weights * bits)))
    own = packed + (4 * shapes.channels if context.settings["gains"] else 0)
    through = int(footprint.channel_macs(shapes).sum())
    return same_for_all(
        rows,
        macs=footprint.dense_macs(shapes),
        bitops=through * bits * activation_bits(context) + footprint.fixed_macs(shapes) * footprint.FLOAT_BITS**2,
        peak_memory_bytes=footprint.fixed_bytes(shapes) + own + footprint.row_buffer_bytes(shapes),
        model_bytes=footprint.embedding_bytes(shapes) + own,
    )


def frozen(name: str) -> MethodSpec:
    """Return the control without a plan at k bits.

    Raises:
        ScenarioError: k is not 2, 3, 4 or 8.
    """
    bits = number_of(name, WIDTHS, ", ".join(map(str, WIDTHS)))
    return FrozenSpec(
        name=name,
        summary=f"control: random frozen weights at {bits} bits for every channel, no plan, only embeddings trained",
        exchange=(UP_REPORT,),
        cloud="chordsim.methods.frozen.cloud:FrozenCloud",
        device="chordsim.methods.frozen.device:FrozenDevice",
        by_budgets=False,
        cached="rows",
        settings_of="chord",
        defaults={"width": bits, "law": "gaussian", "gains": False, "start": "scratch", "horizon": 12, "activation_bits": 32},
        allowed={"width": (bits, bits), "law": LAWS, "start": STARTS, "horizon": (1, 1000), "activation_bits": ACTIVATIONS},
    )
