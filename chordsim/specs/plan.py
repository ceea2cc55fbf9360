"""Specs of the methods that send a plan: `chord`, `chord-plus` and `chord-shared`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from chordsim.methods import DOWN_PRESCRIPTION, UP_PROFILE, UP_REPORT, Batch, Leg, MethodContext, MethodSpec
from chordsim.nets.shapes import shapes_of
from chordsim.ragged import Ints
from chordsim.wire.floats import BUDGET_BYTES

_EXCHANGE = (UP_PROFILE, DOWN_PRESCRIPTION, UP_REPORT)
_PLUS: Mapping[str, Any] = {
    "planner": "personal",
    "widths": [0, 2, 4, 8],
    "lowest": 0,
    "bits": 2.0,
    "train_bits": [1.0, 2.0],
    "mask_keep": 0.5,
    "temperature": 1.0,
    "levels": [],
    "extractor": "mean",
    "profile_dim": 64,
    "horizon": 12,
}
#: The paper as far as it can be read: no mask, three levels, code 0 unused, 3 bits on average.
_CHORD: Mapping[str, Any] = {
    **_PLUS,
    "planner": "levels",
    "lowest": 1,
    "bits": 3.0,
    "train_bits": [2.5, 3.0, 4.0],
    "mask_keep": 1.0,
    "temperature": 0.1,
    "levels": ["layer", "filter", "element"],
    "extractor": "gru",
}


@dataclass(frozen=True)
class PlanSpec(MethodSpec):
    """A method whose prescription is one 2-bit code per channel."""

    def sizes(self, context: MethodContext, who: Batch) -> dict[Leg, Ints]:
        """Return 4 bytes per number of the user embedding plus budgets up, 2 bits per channel down."""
        up = 4 * int(context.settings["profile_dim"]) + BUDGET_BYTES
        down = shapes_of(context.backbone, context.n_items).plan_bytes
        return {UP_PROFILE: np.full(len(who), up, np.int64), DOWN_PRESCRIPTION: np.full(len(who), down, np.int64)}


def _spec(name: str, summary: str, defaults: Mapping[str, Any]) -> PlanSpec:
    return PlanSpec(name, summary, _EXCHANGE, "server.methods.plan:PlanCloud", "clients.methods.plan:PlanDevice", defaults)


def chord(name: str) -> MethodSpec:
    """Return CHORD as the paper can be read (arXiv 2510.03038; operators by inference)."""
    return _spec(name, "CHORD as published: a plan of 2, 4 or 8 bits per channel and user, random frozen backbone", _CHORD)


def chord_plus(name: str) -> MethodSpec:
    """Return our variant: shared element mask, pruned channels, base plus user residual."""
    return _spec(name, "a plan of 0, 2, 4 or 8 bits per channel and user under a shared mask, random frozen backbone", _PLUS)


def chord_shared(name: str) -> MethodSpec:
    """Return the control of `chord-plus`: one learnt plan, the same for every user."""
    return _spec(name, "control: the plan of chord-plus learnt once for everybody", {**_PLUS, "planner": "shared"})
