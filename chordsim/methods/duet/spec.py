"""Spec of `duet`: recent clicks up, the 32-bit weights of a dynamic head down.

Source: DUET (WWW 2023) and its authors' code.
Published: a static SASRec on the phone; a GRU on the cloud reads the recent clicks, an MLP turns its last state into
z; each layer of a dynamic two-layer head gets weight = z w1 + b1 and bias = z w2 + b2; tanh between the layers of both.
Inference: the head adds to the state (a residual), so that an untrained head does no harm; a softmax over the catalogue; the
backbone starts from the trained `fp32` and both are trained on together; numbers of the head are divided by the root of the width.
Differs from official code: there a layer with tanh stands between embeddings and everything else and an MLP over the target; the loss
is binary; the transformer has no causal mask; the head's output replaces the state; z has no layer norm.
Left out: the stable weight adapter (a self-similarity weighted sum), which the published code path lacks too.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from chordsim.arrays import Ints
from chordsim.methods import DOWN_PRESCRIPTION, UP_PROFILE, UP_REPORT, Batch, Budgets, Cost, Leg, MethodContext, MethodSpec, Needs
from chordsim.nets.shapes import shapes_of
from chordsim.quant.costs import on_device, shipped_cost
from chordsim.wire.ids import id_bytes


@dataclass(frozen=True)
class DuetSpec(MethodSpec):
    """Clicks up, a head down."""

    def sizes(self, context: MethodContext, who: Batch) -> dict[Leg, Ints]:
        """Return an id per click up, 4 bytes per number of the head down."""
        from chordsim.methods.duet.net import head_numbers

        up, down = id_bytes(context.n_items) * int(context.settings["clicks"]), 4 * head_numbers(context.backbone.dim)
        return {UP_PROFILE: np.full(len(who), up, np.int64), DOWN_PRESCRIPTION: np.full(len(who), down, np.int64)}

    def needs(self, context: MethodContext, budgets: Budgets) -> Needs:
        """Return what the backbone and the head take, and who cannot bear them."""
        return on_device(headed_cost(context, budgets.memory_bytes.size), budgets, 32.0)


def headed_cost(context: MethodContext, rows: int) -> Cost:
    """Return the backbone's cost and the head's: its weights are stored and used once."""
    from chordsim.methods.duet.net import head_numbers

    base = shipped_cost(shapes_of(context.backbone, context.n_items, context.ranked), 32, rows)
    numbers = head_numbers(context.backbone.dim)
    return replace(
        base,
        macs=base.macs + numbers,
        bitops=base.bitops + numbers * 32 * 32,
        peak_memory_bytes=base.peak_memory_bytes + 4 * numbers,
        model_bytes=base.model_bytes + 4 * numbers,
    )


def spec(name: str) -> MethodSpec:
    """Return the spec."""
    return DuetSpec(
        name=name,
        summary="a cloud hypernetwork generates the head's 32-bit weights from recent clicks",
        exchange=(UP_PROFILE, DOWN_PRESCRIPTION, UP_REPORT),
        cloud="chordsim.methods.duet.cloud:DuetCloud",
        device="chordsim.methods.duet.device:DuetDevice",
        by_budgets=False,
        cached="rows",
        defaults={"clicks": 20, "horizon": 12},
        allowed={"clicks": (1, 1000), "horizon": (1, 1000)},
    )
