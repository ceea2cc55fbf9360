"""Spec of `cocorrrec`: a layer that corrects itself on the phone in closed form, with a correction from the cloud.

Source: CoCorrRec (IJCAI 2025, arXiv 2506.12687) and its authors' code.
Published: on the phone one test-time-training layer (hidden 64, 4 heads, mini-batches of 10, base rate 1), whose fast
weights take one gradient step per mini-batch in closed form; on the cloud a GRU and three bias-free layers with leaky
ReLU give corrections of the attention matrix and of the bias, standardised, scaled to the device tensor's own mean
and deviation, and added with learnt weights (0 and 0.25 at the start). One round trip: hidden states up, correction down.
Each correction has a network of its own, and a step's rate is the position's times a learnt rate of the place that reads it.
Inference: only the last mini-batch, the one that is read, is corrected; in training the correction reads what came
before the targets; softmax over the catalogue; item embeddings start from `fp32`.
Differs from official code: there the correction of attention is not masked, so a position reads later ones of its mini-batch (here it
is); the block adds nothing to what comes in and has no feed-forward (here both, as around every layer of ours); the loss is binary.
Left out: rotary positions (learnt ones instead), and the MLP over the target.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from chordsim.arrays import Ints
from chordsim.config.model import BackboneConfig
from chordsim.errors import ScenarioError
from chordsim.methods import DOWN_PRESCRIPTION, UP_PROFILE, UP_REPORT, Batch, Budgets, Cost, Leg, MethodContext, MethodSpec, Needs
from chordsim.nets.shapes import shapes_of
from chordsim.quant.costs import on_device, same_for_all

#: Two numbers for each of four heads: the deviation of a single one is none, and corrections are scaled by it.
_LEAST_DIM = 8


@dataclass(frozen=True)
class CoCorrRecSpec(MethodSpec):
    """Hidden states up, a correction down."""

    def sizes(self, context: MethodContext, who: Batch) -> dict[Leg, Ints]:
        """Return 4 bytes per number of the states that the cloud reads up, of one mini-batch's correction down."""
        from chordsim.methods.cocorrrec.net import correction_numbers, states_read

        dim = context.backbone.dim
        up, down = 4 * states_read(context.backbone.max_len) * dim, 4 * correction_numbers(dim)
        return {UP_PROFILE: np.full(len(who), up, np.int64), DOWN_PRESCRIPTION: np.full(len(who), down, np.int64)}

    def check_on(self, settings: Mapping[str, Any], backbone: BackboneConfig) -> None:
        """Refuse a backbone that leaves a head a single number."""
        if backbone.dim < _LEAST_DIM:
            raise ScenarioError(f"methods: {self.name!r} needs backbone.dim = {_LEAST_DIM} or more, and it is {backbone.dim}")

    def needs(self, context: MethodContext, budgets: Budgets) -> Needs:
        """Return what the layer takes, and who cannot bear it."""
        return on_device(layer_cost(context, budgets.memory_bytes.size), budgets, 32.0)


def layer_cost(context: MethodContext, rows: int) -> Cost:
    """Return what one request takes: the layer, its fast weights, the correction, one mini-batch's activations."""
    from chordsim.methods.cocorrrec.net import HEADS, MINI_BATCH, correction_numbers, layer_macs, layer_size
    from chordsim.nets import footprint

    shapes, config = shapes_of(context.backbone, context.n_items, context.ranked), context.backbone
    weights, correction = 4 * layer_size(shapes), 4 * correction_numbers(config.dim)
    fast = 4 * (config.dim * config.dim // HEADS + config.dim)
    live = 4 * (config.max_len * config.dim + MINI_BATCH * (7 * config.dim + HEADS * MINI_BATCH) + config.ffn_dim)
    macs, table = layer_macs(shapes), footprint.embedding_bytes(shapes)
    return same_for_all(
        rows,
        macs=macs,
        bitops=macs * 32 * 32,
        model_bytes=table + weights,
        peak_memory_bytes=table + weights + correction + fast + live + 4 * (shapes.n_items + 1),
    )


def spec(name: str) -> MethodSpec:
    """Return the spec."""
    return CoCorrRecSpec(
        name=name,
        summary="self-correction on the phone in closed form, global correction from the cloud",
        exchange=(UP_PROFILE, DOWN_PRESCRIPTION, UP_REPORT),
        cloud="chordsim.methods.cocorrrec.cloud:CoCorrRecCloud",
        device="chordsim.methods.cocorrrec.device:CoCorrRecDevice",
        by_budgets=False,
        cached="rows",
        defaults={},
        backbones=("sasrec",),
    )
