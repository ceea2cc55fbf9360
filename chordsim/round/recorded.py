"""Rounds told from a ledger: sizes in closed form, with the costs that a run recorded where its models ran."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from chordsim.arrays import Ints
from chordsim.ledger.rows import Rows
from chordsim.methods import RECORDED, Cost, MethodContext, MethodSpec, Needs
from chordsim.population.profile import Profiles
from chordsim.quant.budget import refusals
from chordsim.round.book import Book
from chordsim.round.candidates import Asked
from chordsim.round.enrolled import Enrolled
from chordsim.round.sizes import NeedsOf, Player, Sizes, enrolled
from chordsim.sized import SizedWorld
from chordsim.wire.ids import id_bytes
from chordsim.wire.item_rows import ask_bytes, row_bytes

#: Name of the part of a recorded bootstrap that learning changes.
_RENEWED = "renewed"


class Recorded(Sizes):
    """Tells rounds in sizes; phones ask for the item rows that they asked for then."""

    def __init__(
        self,
        world: SizedWorld,
        spec: MethodSpec,
        context: MethodContext,
        renews: Sequence[str],
        needs_of: NeedsOf,
        rounds: Mapping[int, Rows],
    ) -> None:
        super().__init__(world, spec, context, renews, needs_of)
        self._rounds = rounds

    def asked(self, method: Enrolled, book: Book) -> Asked:
        """Return what was recorded; a phone that asked for nothing then is like the others of its round."""
        then, world = self._rounds[book.scene.round], self._world
        place = np.searchsorted(then["device_id"], book.scene.ids)
        backbone, listed = world.scenario.backbone, min(world.scenario.protocol.candidates, world.n_items)
        asking = then["asks_bytes"] > 0
        consumed = (then["asks_bytes"] - ask_bytes(listed, np.zeros(1, np.int64), world.n_items)) // id_bytes(world.n_items)
        rows = then["rows_bytes"] // row_bytes(backbone.dim, backbone.embedding_bits)

        def as_recorded(values: Ints) -> Ints:
            usual = int(np.median(values[asking])) if asking.any() else 0
            return np.where(asking, values, usual)[place].astype(np.int64)

        after = then["cached_rows"][place]
        return Asked(as_recorded(consumed), as_recorded(rows), after, after)

    def after(self, book: Book) -> None:
        """Note whether anybody's update came in time; what phones hold stands in the recording."""
        self.learnt |= self.spec.learns and bool(book.active.any())


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

    return enrolled(world, spec, _paid(list(rounds.values()))), Recorded(world, spec, context, [_RENEWED], needs_of, rounds)


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
        # Budgets bind what the cloud prescribes; what was recorded says only what it then took.
        return replace(closed, cost=cost)
    refusal = refusals(cost.peak_memory_bytes, cost.macs, phones.budgets)
    bits = np.where(ran, then.floats("bits_mean")[place], np.nan)
    return Needs(cost, refusal, "device", refusal, bits, cost.macs)
