"""Spec of `static-mixed`: one model of mixed precision, the same for every phone, shipped once.

Source: HAWQ-V2 and -V3 (Dong et al. 2020, Yao et al. 2021) and their authors' code.
Published: bits by sensitivity, the Hessian's trace times the squared change by rounding, the best assignment under a size; then
training on under that plan.
Inference: sensitivity is of channels, not of layers: half the sum over a channel's weights of second derivative times squared change,
with the empirical Fisher diagonal for the Hessian's; 2, 4 or 8 bits under a mean of ``bits``; weights alone are rounded, and what
they are multiplied with where ``activation_bits`` asks for it.
With ``sensitivity = "error"`` it is the relative rounding error instead; ``tuning = false`` trains nothing on.
Differs from official code: scales of a channel are by least squared error, not by its largest weight; the plan is bought greedily by
price, not by integer programming.
"""

from __future__ import annotations

from dataclasses import dataclass

from chordsim.methods import UP_REPORT, Budgets, Cost, MethodContext, MethodSpec, Needs
from chordsim.methods.shipped.spec import ACTIVATIONS, activation_bits
from chordsim.nets.shapes import Shapes, shapes_of
from chordsim.quant.costs import WIDTHS

#: Bits of codes 0 to 3; code 0 is not used.
CODE_BITS = (0, 2, 4, 8)


def mixed_cost(shapes: Shapes, weight_bits: int, bit_macs: int, rows: int, of_inputs: int = 32) -> Cost:
    """Return the cost of a request.

    Args:
        shapes: The backbone.
        weight_bits: Stored bits of all weights.
        bit_macs: Multiply-accumulates through weights, each times the bits of its weight.
        rows: Phones.
        of_inputs: Bits of what weights are multiplied with.
    """
    from chordsim.nets import footprint
    from chordsim.quant.costs import same_for_all
    from chordsim.wire.codes import packed_bytes

    stored = -(-weight_bits // 8) + packed_bytes(shapes.channels) + 4 * shapes.channels
    return same_for_all(
        rows,
        macs=footprint.dense_macs(shapes),
        bitops=bit_macs * of_inputs + footprint.fixed_macs(shapes) * 32 * 32,
        peak_memory_bytes=footprint.fixed_bytes(shapes) + stored + footprint.row_buffer_bytes(shapes),
        model_bytes=footprint.embedding_bytes(shapes) + stored,
    )


def most_bits(shapes: Shapes, mean_bits: float) -> int:
    """Return the most bits that the one plan may store: no channel has fewer than 2 or more than 8."""
    return int(min(max(mean_bits, 2.0), 8.0) * shapes.weights)


@dataclass(frozen=True)
class MixedSpec(MethodSpec):
    """One plan for all, fixed by the trained weights."""

    def needs(self, context: MethodContext, budgets: Budgets) -> Needs:
        """Return what a plan takes that uses up its mean bits; the real one leaves less than a channel's step of them."""
        from chordsim.nets import footprint
        from chordsim.quant.costs import on_device

        shapes = shapes_of(context.backbone, context.n_items, context.ranked)
        bits = most_bits(shapes, float(context.settings["bits"]))
        through = int(footprint.channel_macs(shapes).sum())
        cost = mixed_cost(shapes, bits, 8 * through, budgets.memory_bytes.size, activation_bits(context))
        return on_device(cost, budgets, bits / shapes.weights)


def static_mixed(name: str) -> MethodSpec:
    """Return one mixed-precision plan for all."""
    return MixedSpec(
        name=name,
        summary="one plan of 2, 4 or 8 bits per channel for all, by what rounding costs the loss, shipped once",
        exchange=(UP_REPORT,),
        cloud="chordsim.methods.static_mixed.cloud:MixedCloud",
        device="chordsim.methods.static_mixed.device:MixedDevice",
        by_budgets=False,
        cached="rows",
        defaults={"bits": 3.0, "tuning": True, "sensitivity": "fisher", "activation_bits": 32},
        allowed={"bits": (min(WIDTHS), max(WIDTHS)), "sensitivity": ("fisher", "error"), "activation_bits": ACTIVATIONS},
    )
