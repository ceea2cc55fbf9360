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

from collections.abc import Mapping
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


def weights_ends(shapes: Shapes, mean_bits: float) -> tuple[int, int]:
    """Return the least and the most bytes of the shipped weights, whichever plan training makes of a mean.

    A plan leaves less than a channel's step of its bits unused. Rows of a layer at one width are two named tensors, so names are
    fewest where a layer has one width, and most where it has all.
    """
    limit, fewest = most_bits(shapes, mean_bits), CODE_BITS[1]
    names, whole = _names_and_numbers(shapes, (fewest,))
    if limit == fewest * shapes.weights:
        return names + whole, names + whole
    beside, step = whole - _level_bytes(shapes, fewest), (max(CODE_BITS) - fewest) * max(layer.fan_in for layer in shapes.layers)
    # Rows begin with a byte of their own.
    most = -(-limit // 8) + shapes.channels * any(layer.fan_in * fewest % 8 for layer in shapes.layers)
    return names + beside + max(limit - step, 0) // 8, _names_and_numbers(shapes, CODE_BITS[1:])[0] + beside + most


def _level_bytes(shapes: Shapes, width: int) -> int:
    return sum(layer.channels * -(-layer.fan_in * width // 8) for layer in shapes.layers)


def _names_and_numbers(shapes: Shapes, widths: tuple[int, ...]) -> tuple[int, int]:
    """Return how many bytes of a blob are names and how many are numbers, if every layer had all its rows at each of these widths."""
    import torch

    from chordsim.nets import blobs
    from chordsim.nets.backbone import position_shape
    from chordsim.wire.codes import packed_bytes

    codes = torch.zeros(packed_bytes(shapes.channels), dtype=torch.uint8)
    rows = {"position": torch.zeros(position_shape(shapes.backbone)), "codes": codes}
    for n, layer in enumerate(shapes.layers):
        for width in widths:
            rows[f"levels.{n}.{width}"] = torch.zeros(layer.channels, -(-layer.fan_in * width // 8), dtype=torch.uint8)
            rows[f"scale.{n}.{width}"] = torch.zeros(layer.channels, 1)
    numbers = sum(part.nbytes for part in rows.values())
    return len(blobs.save(rows)) - numbers, numbers


@dataclass(frozen=True)
class MixedSpec(MethodSpec):
    """One plan for all, fixed by the trained weights."""

    def bootstrap_ends(self, context: MethodContext) -> Mapping[str, tuple[int, int]]:
        """Return what the weights may weigh under any plan of the mean."""
        shapes = shapes_of(context.backbone, context.n_items, context.ranked)
        return {"weights": weights_ends(shapes, float(context.settings["bits"]))}

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
