"""What a request, and the training before it, takes on a phone in closed form: specs forecast with it, device halves report it.

What brings torch is loaded where it is used, since specs are read without it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from chordsim.methods import Budgets, Cost, MethodContext, Needs
from chordsim.nets.shapes import Shapes, shapes_of

#: One step is a forward pass, the gradient of activations and the gradient of weights.
PASSES_TO_TRAIN_ALL = 3
#: Frozen weights need no gradient of their own, but gradients pass through them.
PASSES_THROUGH_FROZEN = 2


def same_for_all(rows: int, **spent: int) -> Cost:
    """Return a cost that is the same on every phone, by names of `Cost`; what is not named is nothing."""
    return replace(Cost.zero(rows), **{name: np.full(rows, value, np.int64) for name, value in spent.items()})


def forward_macs(shapes: Shapes) -> int:
    """Return multiply-accumulates of one pass over a whole history, all positions, without item scores."""
    from chordsim.nets.backbone import net

    return net(shapes.backbone).pass_macs(shapes.backbone)


def score_macs(shapes: Shapes, positions: int) -> int:
    """Return multiply-accumulates of the scores that a loss over ``positions`` reads, forward and back.

    Where the catalogue stays in the cloud, a target stands among what was listed.
    """
    return 2 * positions * (shapes.ranked + (shapes.backbone.items == "cached")) * shapes.backbone.dim


def kept_bytes(shapes: Shapes, positions: int) -> int:
    """Return the activations that the backward pass needs: the backbone's and the loss's scores."""
    from chordsim.nets.backbone import net

    return 4 * (net(shapes.backbone).kept_numbers(shapes.backbone) + positions * (shapes.ranked + 1))


def finetuned(context: MethodContext, rows: int) -> Cost:
    """Return the cost of a request with the full-precision model and of the gradient steps on all its weights before it.

    Gradients and kept activations set the peak.
    """
    shapes, positions = shapes_of(context.backbone, context.n_items, context.ranked), int(context.settings["positions"])
    base = shipped_cost(shapes, 32, rows)
    step = PASSES_TO_TRAIN_ALL * forward_macs(shapes) + score_macs(shapes, positions)
    peak = base.model_bytes + 4 * shapes.weights + kept_bytes(shapes, positions)
    steps = np.full(rows, int(context.settings["steps"]) * step, np.int64)
    return replace(base, train_macs=steps, peak_memory_bytes=np.maximum(base.peak_memory_bytes, peak))


def on_device(cost: Cost, budgets: Budgets, bits: float | np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> Needs:
    """Return the needs of a method whose phone finds out by itself what does not fit.

    Args:
        cost: Of one request.
        budgets: What the phones grant.
        bits: Stored bits per weight, one number for all or [D]; NaN where no model runs.
    """
    from chordsim.quant.budget import refusals

    refusal = refusals(cost.peak_memory_bytes, cost.macs, budgets)
    stored = np.broadcast_to(np.asarray(bits, np.float64), cost.macs.shape).copy()
    return Needs(cost, refusal, "device", refusal, stored, cost.macs)


WIDTHS = (2, 4, 8)


def shipped_cost(shapes: Shapes, bits: int, rows: int, activation_bits: int = 32) -> Cost:
    """Return what one request takes with every weight stored at ``bits``, the same on every phone.

    Rounded activations cost fewer operations of one bit, and no less memory: they are rounded where they are multiplied.
    """
    from chordsim.nets import footprint

    packed = int(footprint.packed_bytes(np.asarray(shapes.weights * bits)))
    scales = 0 if bits == 32 else 4 * shapes.channels
    peak = footprint.fixed_bytes(shapes) + packed + (scales + footprint.row_buffer_bytes(shapes) if bits < 32 else 0)
    through_weights = int(footprint.channel_macs(shapes).sum())
    bitops = through_weights * bits * activation_bits + footprint.fixed_macs(shapes) * 32 * 32
    model = footprint.embedding_bytes(shapes) + packed + scales
    return same_for_all(rows, macs=footprint.dense_macs(shapes), bitops=bitops, peak_memory_bytes=peak, model_bytes=model)
