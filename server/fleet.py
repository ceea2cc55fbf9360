"""Rounds without a recommender: every size in closed form, through the same book and the same close, block by block."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from chordsim import methods
from chordsim.candidates import sent_bytes
from chordsim.errors import RunError
from chordsim.fleet import Fleet
from chordsim.ledger.columns import OUTCOMES
from chordsim.ledger.rows import Rows
from chordsim.methods import Batch, Columns, MethodContext, MethodSpec, Needs
from chordsim.population import clock
from chordsim.population.profile import Profiles
from chordsim.progress import Silent
from chordsim.ragged import Bools, Ints
from chordsim.wire.frame import OVERHEAD_BYTES
from chordsim.wire.report import REPORT_BYTES
from server.book import COST, PEAKS, Book
from server.close import close, round_seconds, settle
from server.held import columns_for, flat, spend
from server.scene import Scene, begins_s
from server.stale import SPENT, Shown, can_replay

_SERVED = OUTCOMES.index("served")
_BROKEN = [OUTCOMES.index(name) for name in ("refused", "failed")]
#: What a phone spends by the time it sends a message of this kind: an update is what it trained.
_RUNS = {"update": ("train_macs", *PEAKS), "report": COST}
#: Phones of one block; memory for a round is that of a block.
BLOCK = 1 << 16


@dataclass
class Sized:
    """A method that is ready to be played in sizes.

    Attributes:
        spec: The method.
        context: Its settings.
        parts: Bytes of each part of the bootstrap by label, of a model that took no training step.
        held: Version of the bootstrap that each device owns, [devices].
        remembered: What the simulator remembers of each device, see `server.held`.
        version: Version of the bootstrap in force.
        introduced: Version in which each part last changed, by label.
    """

    spec: MethodSpec
    context: MethodContext
    parts: dict[str, int]
    held: Ints
    remembered: Columns = field(default_factory=dict)
    version: int = 1
    introduced: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.introduced = self.introduced or dict.fromkeys(self.parts, self.version)

    def renew(self, labels: Iterable[str]) -> None:
        """Put a new version into force, in which these parts are new."""
        self.version += 1
        self.introduced |= dict.fromkeys(labels, self.version)

    def missing_bytes(self, ids: Ints) -> Ints:
        """Return the bytes of the parts that each device lacks, shape of ``ids``."""
        held = self.held[ids]
        sizes = (np.where(held < self.introduced[label], size, 0) for label, size in self.parts.items())
        return np.asarray(sum(sizes, np.zeros(ids.size, np.int64)), np.int64)

    def needs_of(self, round: int, phones: Profiles) -> Needs | None:
        """Return what the method takes on these phones."""
        return self.spec.needs(self.context, phones.budgets)


def bootstraps(fleet: Fleet) -> dict[str, dict[str, int]]:
    """Return the bytes of every method's bootstrap parts, from models that took no training step: trained ones are as large.

    Raises:
        RunError: A method's cloud half cannot do without training.
    """
    out = {}
    for name, spec in fleet.specs.items():
        half: methods.CloudHalf = methods.load(spec.cloud)(fleet.context(name))
        try:
            state = half.train(fleet.logs(), Silent())
            out[name] = {blob.label: len(blob.data) for blob in half.bootstrap(state)}
        except (ValueError, IndexError, KeyError) as error:
            raise RunError(f"method {name!r} tells no sizes before training ({error})") from error
    return out


def sized(fleet: Fleet, parts: dict[str, dict[str, int]], end: int = 1) -> list[Sized]:
    """Return the fleet's methods at their start; where they depend on the user, as if users took least (0) or most (1)."""
    size = fleet.population.size
    return [
        Sized(
            spec.ends(fleet.context(name))[end], fleet.context(name), parts[name], np.zeros(size, np.int32),
            columns_for(fleet.scenario, size),
        )
        for name, spec in fleet.specs.items()
    ]  # fmt: skip


def play_sizes(method: Sized, fleet: Fleet, round: int, ids: Ints) -> Iterator[tuple[Rows, float]]:
    """Play one round of one method and yield its rows block by block, each with when the round closed.

    Args:
        method: Who plays; takes in what its phones hold afterwards.
        fleet: The scenario.
        round: The round, from 1.
        ids: Selected devices, ascending.
    """
    every = fleet.scenario.rounds.new_model_every
    if every and not method.spec.learns and method.version != 1 + (round - 1) // every:
        method.renew(method.parts)
    blocks = [ids[at : at + BLOCK] for at in range(0, ids.size, BLOCK)]
    c = fleet.scenario.clock
    ends_s: float | None = None
    if len(blocks) > 1 and (c.quorum or c.quantile):
        # Who is late depends on everybody's seconds, so they are all found first.
        times = []
        for block in blocks:
            book = _book(method, fleet, round, block)[0]
            times.append(round_seconds(book, fleet)[book.active])
        ends_s = clock.closes_s(np.concatenate(times), fleet.population.wanted, c)
    learnt = False
    for block in blocks:
        book, before, planned = _book(method, fleet, round, block)
        round_s = settle(book, fleet, ends_s)
        shown = _shown(method, book, before)
        _remember(method, book, planned)
        learnt |= method.spec.learns and bool(book.active.any())
        rows = close(book, method.spec, fleet, shown)
        spend(method.remembered, fleet.scenario, block, book.scene.at_s, rows["compute_j"] + rows["radio_j"])
        yield rows, round_s
    if learnt:
        # The cloud took in the updates of who was served in time, so the next round begins with another model.
        method.renew(method.spec.renews or method.parts)


def scene_of_block(fleet: Fleet, round: int, ids: Ints) -> Scene:
    """Return the round as these devices meet it; nobody's fallback is known."""
    at_s = begins_s(fleet.scenario, round)
    phones = fleet.population
    away = ~phones.availability.free(ids, at_s)
    return Scene(round, ids.size, ids, phones.users(ids), phones.profiles(ids), np.full(ids.size, np.nan), ids.size, at_s, away)


def _book(method: Sized, fleet: Fleet, round: int, ids: Ints) -> tuple[Book, Ints, bool]:
    """Return a block's book before the close, the rounds in which its phones' plans were made, and whether there are plans."""
    spec, scene = method.spec, scene_of_block(fleet, round, ids)
    listed_bytes = sent_bytes(fleet.scenario, spec, fleet.n_items)
    transfers = len(spec.exchange) + (listed_bytes > 0)
    book = Book(fleet.scenario, scene, transfers, (method.held[ids] != method.version) & any(method.parts.values()))
    book.end(book.active & (scene.away | flat(method.remembered, fleet.scenario, ids, scene.at_s)), "offline")
    needs = method.needs_of(round, scene.profiles)
    if needs is not None and needs.side == "cloud":
        book.refuse(book.active & (needs.refusal > 0), needs.refusal, "cloud")
    book.transfer_bootstrap(method.missing_bytes(ids))
    if listed_bytes:
        book.transfer_candidates(listed_bytes, 1)
    sizes = spec.sizes(method.context, Batch(ids, book.active, round, scene.profiles.budgets))
    planned = False
    for number, leg in enumerate(spec.exchange, 1 + (listed_bytes > 0)):
        last = leg.kind == "report"
        payload = np.full(ids.size, REPORT_BYTES, np.int64) if last else sizes[leg]
        if needs is not None and leg.kind in _RUNS:
            _run(book, needs, _RUNS[leg.kind])
            # A phone that refuses to train has nothing to send: its message is empty.
            payload = payload if last or needs.side == "cloud" else np.where(needs.refusal > 0, 0, payload)
        whole = np.where(book.active, payload + OVERHEAD_BYTES, 0)
        if leg.kind == "prescription":
            planned = True
            if needs is not None and needs.side == "cloud":
                book.binding = np.where(book.active, needs.binding, book.binding)
        book.transfer(leg, whole, book.crossing(whole, number), number)
    if needs is not None and needs.side == "device":
        book.refuse(book.active & (needs.refusal > 0), needs.refusal, "device")
    return book, method.remembered["plan_round"][ids].astype(np.int64), planned


def _run(book: Book, needs: Needs, names: tuple[str, ...]) -> None:
    """Let the phones that are still in train or run their model, or find that they cannot."""
    ran = book.active & ((needs.refusal == 0) | (needs.side == "cloud"))
    for name in names:
        book.cost[name] = np.where(book.active if name in PEAKS else ran, getattr(needs.cost, name), book.cost[name])
    if "macs" in names:
        book.bits = np.where(ran, needs.bits, np.nan)


def _shown(method: Sized, book: Book, before: Ints) -> Shown | None:
    """Return who shows what it held before; its rank is not known here."""
    held = book.scene.real & (book.outcome != _SERVED) & (before > 0)
    if not can_replay(method.spec) or not held.any():
        return None
    needs = method.needs_of(book.scene.round, book.scene.profiles)
    if needs is not None:
        held &= needs.refusal == 0
    age = np.where(held, book.scene.round - before, np.nan)
    nothing = np.full(held.size, np.nan)
    if needs is None:
        return Shown(nothing, age, nothing, {})
    spent = {name: np.where(held, getattr(needs.cost, name), 0) for name in SPENT}
    return Shown(nothing, age, np.where(held, needs.bits, np.nan), spent)


def _remember(method: Sized, book: Book, planned: bool) -> None:
    """Keep what phones hold from now on, by the rules of `server.play`."""
    ids, scene = book.scene.ids, book.scene
    whole: Bools = book.bytes["bootstrap"] - book.bootstrap_cut == book.bytes["bootstrap"]
    method.held[ids[book.needs & whole]] = method.version
    has = book.bytes["prescription"] > 0 if planned else (method.held[ids] == method.version) & ~scene.away
    broken = np.isin(book.outcome, _BROKEN)
    method.remembered["plan_round"][ids[scene.real & has & ~broken & (book.bytes["cut_down"] == 0)]] = scene.round
