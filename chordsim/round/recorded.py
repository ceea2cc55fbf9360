"""Rounds told from a ledger: sizes in closed form, with the costs and messages that a run recorded where its models ran."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from chordsim.arrays import Bools, Codes, Floats, Ints
from chordsim.ledger.rows import Rows
from chordsim.methods import BINDINGS, RECORDED, Cost, Leg, MethodContext, MethodSpec, Needs
from chordsim.population.profile import Profiles
from chordsim.quant.budget import refusals
from chordsim.round.book import Book
from chordsim.round.candidates import Asked
from chordsim.round.enrolled import Enrolled
from chordsim.round.sizes import Player, Sizes, bootstraps, enrolled
from chordsim.sized import SizedWorld
from chordsim.wire.ids import id_bytes
from chordsim.wire.item_rows import ask_bytes

#: Name of the part of a recorded bootstrap that learning changes.
_RENEWED = "renewed"


@dataclass(frozen=True)
class Recording:
    """What a run recorded of one method, and how far it holds on other phones.

    Attributes:
        rounds: Its rows by round.
        same: Which phones would get what was recorded for them in a round, [D].
        macs_per_s: How fast the phones were, by id, [D].
    """

    rounds: Mapping[int, Rows]
    same: Callable[[int, Profiles], Bools]
    macs_per_s: Callable[[Ints], Floats]

    def of(self, round: int, phones: Profiles) -> tuple[Rows, Ints, Bools]:
        """Return a round's rows, the place of each phone among them, and for whom they hold, [D]."""
        then = self.rounds[round]
        return then, np.searchsorted(then["device_id"], phones.device_ids), self.same(round, phones)


class Recorded(Sizes):
    """Tells rounds in sizes; phones ask for, send, get and spend what they did then, where that holds."""

    def __init__(self, world: SizedWorld, spec: MethodSpec, context: MethodContext, recording: Recording) -> None:
        super().__init__(world, spec, context, [_RENEWED], self._recorded_needs)
        self._recording = recording

    def admit(self, book: Book) -> Codes:
        """Return who the cloud refuses: by the closed form, or where there is none, whom it refused then."""
        phones = book.scene.profiles
        if self.spec.needs(self.context, phones.budgets) is not None:
            return super().admit(book)
        then, place, same = self._recording.of(book.scene.round, phones)
        return np.where(then.is_word("refused_by", "cloud")[place] & same, _binding(then, place), 0).astype(np.uint8)

    def payloads(self, book: Book) -> Mapping[Leg, Ints]:
        """Return the payloads that were recorded where all of a phone's messages went out, and the closed form elsewhere."""
        closed = super().payloads(book)
        then, place, same = self._recording.of(book.scene.round, book.scene.profiles)
        went = (exchanged(then)[place]) & same
        nothing = np.zeros(place.size, np.int64)
        kinds = [leg.kind for leg in self.spec.exchange]
        # Two messages of one kind share a column, which does not tell them apart.
        return {
            leg: np.where(went & (kinds.count(leg.kind) == 1), then[f"{leg.kind}_bytes"][place], closed.get(leg, nothing))
            for leg in self.spec.exchange
        }

    def asked(self, method: Enrolled, book: Book) -> Asked:
        """Return what was recorded; a phone that asked for nothing then is like the others of its round."""
        then, world = self._recording.rounds[book.scene.round], self._world
        place = np.searchsorted(then["device_id"], book.scene.ids)
        listed = min(world.scenario.protocol.list_length, world.n_items)
        asking = then["asks_bytes"] > 0
        consumed = (then["asks_bytes"] - ask_bytes(listed, np.zeros(1, np.int64), world.n_items)) // id_bytes(world.n_items)

        def as_recorded(values: Ints) -> Ints:
            usual = int(np.median(values[asking])) if asking.any() else 0
            return np.where(asking, values, usual)[place].astype(np.int64)

        after = then["cached_rows"][place]
        return Asked(as_recorded(consumed), as_recorded(then["rows_bytes"]), after, after)

    def after(self, book: Book) -> None:
        """Note whether the cloud learnt: somebody's update came in time, and it made another model of it then, where that is recorded."""
        self.learnt |= self.spec.renewing and bool(book.active.any()) and renewed_after(self._recording.rounds, book.scene.round)

    def _recorded_needs(self, round: int, phones: Profiles) -> Needs:
        """Return what was spent where a model ran and holds; else the closed form, or nothing where there is none."""
        closed = self.spec.needs(self.context, phones.budgets)
        then, place, same = self._recording.of(round, phones)
        ran = ((then["macs"] > 0) | then.is_word("outcome", "served", "late"))[place] & same
        known = closed.cost if closed is not None else self._adapting(then, place, phones)
        cost = replace(known, **{name: np.where(ran, then[name][place], getattr(known, name)) for name in RECORDED})
        bits = np.where(ran, then.floats("bits_mean")[place], closed.bits if closed is not None else np.nan)
        if closed is not None and closed.side == "cloud":
            # Budgets refuse by what the cloud would prescribe; what was recorded says only what it then took, and what bound it.
            told = ran | (then["prescription_bytes"] > 0)[place] & same
            binding = np.where(told, _binding(then, place), closed.binding).astype(np.uint8)
            return replace(closed, cost=cost, bits=bits, binding=binding)
        refusal = refusals(cost.peak_memory_bytes, cost.macs, phones.budgets)
        if closed is None:
            refused = then.is_word("refused_by", "device")[place] & same
            refusal = np.where(refused, _binding(then, place), refusal).astype(np.uint8)
        return Needs(cost, refusal, "device", refusal, bits, cost.macs)

    def _adapting(self, then: Rows, place: Ints, phones: Profiles) -> Cost:
        """Return the operations before a request, which the ledger has as seconds alone; all else at zero."""
        spent = np.rint(then["adapt_s"][place] * self._recording.macs_per_s(phones.device_ids)).astype(np.int64)
        return replace(Cost.zero(place.size), adapt_macs=np.maximum(spent - then["train_macs"][place], 0))


def renewed_after(rounds: Mapping[int, Rows], round: int) -> bool:
    """Return whether a recorded round of a method that learns left another model than it began with; true where nobody tells.

    Whoever held the model of that round and was sent something in the next one tells it by what was charged.
    """
    if round not in rounds or round + 1 not in rounds:
        return True
    then, after = rounds[round], rounds[round + 1]
    held = np.isin(after["device_id"], then["device_id"][exchanged(then)])
    met = held & (after["down_bytes"] + after["cut_down_bytes"] + after["up_bytes"] + after["cut_up_bytes"] > 0)
    return bool(after["bootstrap_bytes"][met].any()) if met.any() else True


def exchanged(then: Rows) -> Bools:
    """Return which phones sent and got all messages of a round, [D]."""
    return then.is_word("outcome", "served", "late") | then.is_word("refused_by", "device")


def player(world: SizedWorld, spec: MethodSpec, context: MethodContext, recording: Recording) -> Player:
    """Return a method whose phones take what a run recorded.

    Args:
        world: The scenario.
        spec: The method.
        context: Its settings.
        recording: What the run recorded of it.
    """
    parts = _paid(list(recording.rounds.values())) or bootstraps(world)[spec.name]
    return enrolled(world, spec, parts), Recorded(world, spec, context, recording)


def _paid(recorded: Sequence[Rows]) -> dict[str, int]:
    """Return the bytes of the bootstrap that phones paid: what came again where less than all of it did, and the rest."""
    charged = np.concatenate([rows["bootstrap_bytes"] for rows in recorded])
    charged = charged[charged > 0]
    if not charged.size:
        return {}
    return {_RENEWED: int(charged.min()), "once": int(charged.max() - charged.min())}


def _binding(then: Rows, place: Ints) -> Codes:
    """Return the recorded budget of each phone as a code into `BINDINGS`, [D]."""
    words = np.array([BINDINGS.index(word) for word in then.words["binding"]], np.uint8)
    return np.asarray(words[then["binding"][place]], np.uint8)
