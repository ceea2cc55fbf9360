"""Spec of `cloud-only`: no model on the phone; it sends its history and shows the list that comes back."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from chordsim.arrays import Ints
from chordsim.methods import DOWN_CANDIDATES, UP_PROFILE, UP_REPORT, Batch, Budgets, Cost, Leg, MethodContext, MethodSpec, Needs
from chordsim.wire.ids import id_bytes


@dataclass(frozen=True)
class CloudOnlySpec(MethodSpec):
    """History up, list down."""

    def sizes(self, context: MethodContext, who: Batch) -> dict[Leg, Ints]:
        """Return one id per position of the window up, one per place of the list down."""
        one = id_bytes(context.n_items)
        listed = min(int(context.settings["list_length"]), context.n_items)
        return {
            UP_PROFILE: np.full(len(who), one * context.backbone.max_len, np.int64),
            DOWN_CANDIDATES: np.full(len(who), one * listed, np.int64),
        }

    def needs(self, context: MethodContext, budgets: Budgets) -> Needs:
        """Return the memory of the list: no model runs here."""
        rows = budgets.memory_bytes.size
        none = np.zeros(rows, np.uint8)
        return Needs(list_cost(context, rows), none, "device", none, np.full(rows, np.nan), np.zeros(rows, np.int64))


def list_cost(context: MethodContext, rows: int) -> Cost:
    """Return what showing the list takes: the memory that it lies in."""
    listed = min(int(context.settings["list_length"]), context.n_items)
    return replace(Cost.zero(rows), peak_memory_bytes=np.full(rows, listed * id_bytes(context.n_items), np.int64))


def spec(name: str) -> MethodSpec:
    """Return the spec."""
    return CloudOnlySpec(
        name=name,
        summary="no model on the phone: history up, ranked list down",
        exchange=(UP_PROFILE, DOWN_CANDIDATES, UP_REPORT),
        cloud="chordsim.methods.cloud_only.cloud:CloudOnlyCloud",
        device="chordsim.methods.cloud_only.device:CloudOnlyDevice",
        by_budgets=False,
        cached="nothing",
        ranks="list",
        defaults={"list_length": 100},
        allowed={"list_length": (1, 10_000)},
    )
