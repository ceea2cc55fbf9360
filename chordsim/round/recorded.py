"""Rounds told from a ledger: sizes in closed form, with the costs that a run recorded where its models ran."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from chordsim.ledger.rows import Rows
from chordsim.methods import RECORDED, Cost, MethodContext, MethodSpec, Needs
from chordsim.population.profile import Profiles
from chordsim.quant.budget import refusals
from chordsim.round.sizes import Player, Sizes, enrolled
from chordsim.sized import SizedWorld

#: Name of the part of a recorded bootstrap that learning changes.
_RENEWED = "renewed"


def player(world: SizedWorld, spec: MethodSpec, context: MethodContext, rounds: Mapping[int, Rows]) -> Player:
    """Return a method whose phones take what a run recorded.

    Args:
        world: The scenario.
        spec: The method.
        context: Its settings.
        rounds: What the run recorded of it, by round.
    """

    def needs_of(round: int, phones: Profiles) -> Needs | None:
        return _needs(spec.needs(context, phones.budgets), rounds[round], phones)

    return enrolled(world, spec, _paid(list(rounds.values()))), Sizes(spec, context, [_RENEWED], needs_of)


def _paid(recorded: Sequence[Rows]) -> dict[str, int]:
    """Return the bytes of the bootstrap that phones paid: what came again where less than all of it did, and the rest."""
    charged = np.concatenate([rows["bootstrap_bytes"] for rows in recorded])
    charged = charged[charged > 0]
    if not charged.size:
        return {}
    return {_RENEWED: int(charged.min()), "once": int(charged.max() - charged.min())}


def _needs(closed: Needs | None, then: Rows, phones: Profiles) -> Needs:
    place = np.searchsorted(then["device_id"], phones.device_ids)
    ran = then["macs"][place] > 0
    zero = Cost.zero(ran.size)
    known = closed.cost if closed is not None else zero
    cost = replace(known, **{name: np.where(ran, then[name][place], getattr(known, name)) for name in RECORDED})
    if closed is not None and closed.side == "cloud":
        # Budgets bind a plan that is made; what was recorded says only what it then took.
        return replace(closed, cost=cost)
    refusal = refusals(cost.peak_memory_bytes, cost.macs, phones.budgets)
    bits = np.where(ran, then.floats("bits_mean")[place], np.nan)
    return Needs(cost, refusal, "device", refusal, bits, cost.macs)
