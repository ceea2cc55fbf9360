"""Rounds told in sizes: no recommender, every message in closed form, through the same script, block by block."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from chordsim import methods
from chordsim.arrays import Codes, Ints
from chordsim.errors import RAISED, RunError, UserError, typed_line
from chordsim.ledger.columns import OUTCOMES
from chordsim.methods import COST, PEAKS, SPENT, Leg, MethodContext, MethodSpec, Needs, PhoneBatch
from chordsim.methods.blame import blamed
from chordsim.population import clock
from chordsim.population.profile import Profiles
from chordsim.progress import Silent
from chordsim.round.book import Book
from chordsim.round.candidates import Asked
from chordsim.round.close import round_seconds
from chordsim.round.enrolled import Enrolled, charged_bytes, nothing_held
from chordsim.round.guarded import whole_numbers
from chordsim.round.held import columns_for
from chordsim.round.item_pilot import Pilot, asked, pilot, remember
from chordsim.round.item_pilot import columns_for as item_columns
from chordsim.round.scene import Scene, begins_s
from chordsim.round.script import Played, closed, told
from chordsim.round.shown import Shown
from chordsim.sized import SizedWorld
from chordsim.wire.frame import OVERHEAD_BYTES
from chordsim.wire.reports import REPORT_BYTES

_SERVED = OUTCOMES.index("served")
#: What a phone spends by the time it sends a message of this kind: an update is what it trained.
_RUNS = {"update": ("train_macs", *PEAKS), "report": COST}
#: Phones of one block; memory for a round is that of a block.
BLOCK = 1 << 16

NeedsOf = Callable[[int, Profiles], Needs | None]
"""What a method takes on some phones in a round."""


class Sizes:
    """Tells a method's rounds by what its messages and models weigh.

    Attributes:
        spec: The method.
        context: Its settings.
        needs_of: What it takes on phones, in a round; None where that is not known.
        renews: Parts of the bootstrap that learning changes.
        learnt: Whether the cloud took in updates since this was last asked.
    """

    def __init__(
        self, world: SizedWorld, spec: MethodSpec, context: MethodContext, renews: Sequence[str], needs_of: NeedsOf | None = None
    ) -> None:
        """Prepare to tell.

        Args:
            world: The scenario.
            spec: The method.
            context: Its settings.
            renews: Parts of the bootstrap that learning changes.
            needs_of: What it takes, where that is known better than in closed form.
        """
        self._world, self.spec, self.context, self.renews, self.learnt = world, spec, context, renews, False
        self._pilot: Pilot | None = None
        self._method: Enrolled | None = None
        self.needs_of: NeedsOf = needs_of or self._closed_form

    def admit(self, book: Book) -> Codes:
        """Return who the cloud refuses by the closed form."""
        needs = self._needs(book)
        return needs.refusal if needs is not None and needs.side == "cloud" else np.zeros(book.active.size, np.uint8)

    def asked(self, method: Enrolled, book: Book) -> Asked:
        """Draw what phones ask for, each after a user who was followed."""
        if self._pilot is None:
            self._pilot = pilot(self._world, self.spec)
        self._method = method
        return asked(self._pilot, method, self._world.scenario, book)

    def exchange(self, book: Book, first: int) -> None:
        """Let every leg's bytes cross, in order."""
        ids, needs, sizes = book.scene.ids, self._needs(book), self.payloads(book)
        for number, leg in enumerate(self.spec.exchange, first):
            last = leg.kind == "report"
            payload = np.full(ids.size, REPORT_BYTES, np.int64) if last else sizes[leg]
            if needs is not None and leg.kind in _RUNS:
                _run(book, needs, _RUNS[leg.kind])
                # A phone that refuses to train has nothing to send: its message is empty.
                payload = payload if last or needs.side == "cloud" else np.where(needs.refusal > 0, 0, payload)
            whole = np.where(book.active, payload + OVERHEAD_BYTES, 0)
            if leg.kind == "prescription" and needs is not None and needs.side == "cloud":
                book.binding = np.where(book.active, needs.binding, book.binding)
            book.transfer(leg, whole, book.crossing(whole, number), number)
        if needs is not None and needs.side == "device":
            book.refuse(book.active & (needs.refusal > 0), needs.refusal, "device")

    def payloads(self, book: Book) -> Mapping[Leg, Ints]:
        """Return the payload bytes of every leg but the report, [M] each."""
        scene = book.scene
        with blamed(self.spec.name, f"sizes, round {scene.round}"):
            found = self.spec.sizes(self.context, PhoneBatch(scene.ids, book.active, scene.round, scene.profiles.budgets))
            known = {leg: size for leg, size in found.items() if leg.kind != "report"}
            return {leg: whole_numbers(size, scene.ids.size, f"bytes of {leg.kind}") for leg, size in known.items()}

    def shown(self, book: Book, before: Ints) -> Shown | None:
        """Return who shows what it held before; its rank is not known here."""
        held = book.scene.real & (book.outcome != _SERVED) & (before > 0)
        if not held.any():
            return None
        needs = self._needs(book)
        if needs is not None:
            held &= needs.refusal == 0
        age = np.where(held, book.scene.round - before, np.nan)
        nothing = np.full(held.size, np.nan)
        if needs is None:
            return Shown(nothing, age, nothing, {})
        spent = {name: np.where(held, getattr(needs.cost, name), 0) for name in SPENT}
        return Shown(nothing, age, np.where(held, needs.bits, np.nan), spent)

    def after(self, book: Book) -> None:
        """Note whether anybody's update came in time."""
        self.learnt |= self.spec.renewing and bool(book.active.any())
        if self._method is not None:
            remember(self._method, book)

    def _closed_form(self, round: int, phones: Profiles) -> Needs | None:
        with blamed(self.spec.name, f"needs, round {round}"):
            return self.spec.needs(self.context, phones.budgets)

    def _needs(self, book: Book) -> Needs | None:
        return self.needs_of(book.scene.round, book.scene.profiles)


Player = tuple[Enrolled, Sizes]
"""A method that is ready to be played in sizes, and who tells its rounds."""


def bootstraps(world: SizedWorld) -> dict[str, dict[str, int]]:
    """Return the bytes of every method's bootstrap parts, from models that took no training step: trained ones are as large.

    Raises:
        RunError: A method's cloud half cannot do without training.
    """
    out = {}
    for name, spec in world.specs.items():
        try:
            half: methods.CloudHalf = methods.load(spec.cloud)(world.context(name))
            state = half.train(world.logs(), Silent())
            out[name] = {blob.label: charged_bytes(blob.label, blob.data) for blob in half.bootstrap(state)}
        except UserError:
            raise
        except RAISED as error:
            raise RunError(f"method {name!r} tells no sizes before training ({typed_line(error)})") from error
    return out


def bootstrap_ends(world: SizedWorld, parts: dict[str, dict[str, int]]) -> tuple[dict[str, dict[str, int]], dict[str, dict[str, int]]]:
    """Return the least and the most that the parts of `bootstraps` may weigh once trained; most have one size."""
    least, most = {}, {}
    for name, sizes in parts.items():
        with blamed(name, "bootstrap_ends"):
            ends = world.specs[name].bootstrap_ends(world.context(name))
        least[name] = {label: min(size, ends.get(label, (size,))[0]) for label, size in sizes.items()}
        most[name] = {label: max(size, ends.get(label, (size,))[-1]) for label, size in sizes.items()}
    return least, most


def enrolled(world: SizedWorld, spec: MethodSpec, parts: dict[str, int]) -> Enrolled:
    """Return a method at its start: no phone holds anything."""
    size = world.population.size
    columns = columns_for(world.scenario, size) | item_columns(world.scenario, spec, size)
    return Enrolled(spec, parts, nothing_held(size), columns)


def players(world: SizedWorld, parts: dict[str, dict[str, int]], end: int = 1) -> list[Player]:
    """Return the methods at their start; where they depend on the user, as if users took least (0) or most (1)."""
    out = []
    for name, whole in world.specs.items():
        context = world.context(name)
        with blamed(name, "ends"):
            spec = whole.ends(context)[end]
        renews = tuple(parts[name]) if spec.renews is None else spec.renews
        out.append((enrolled(world, spec, parts[name]), Sizes(world, spec, context, renews)))
    return out


def play(player: Player, world: SizedWorld, round: int, ids: Ints) -> Iterator[Played]:
    """Play one round of one method and yield it block by block.

    Args:
        player: Who plays, and takes in what its phones hold afterwards; who tells.
        world: The scenario.
        round: The round, from 1.
        ids: Selected devices, ascending.
    """
    method, teller = player
    method.new_model(round, world.scenario.rounds.new_model_every)
    blocks = [ids[at : at + BLOCK] for at in range(0, ids.size, BLOCK)]
    c = world.scenario.clock
    ends_s: float | None = None
    if len(blocks) > 1 and (c.quorum or c.quantile):
        # Who is late depends on everybody's seconds, so they are all found first.
        books = (told(method, world, scene_of_block(world, round, block), teller)[0] for block in blocks)
        ends_s = clock.closes_s(np.concatenate([round_seconds(book, world)[book.active] for book in books]), world.population.wanted, c)
    for block in blocks:
        book, before = told(method, world, scene_of_block(world, round, block), teller)
        yield Played(*closed(method, world, teller, book, before, ends_s))
    if teller.learnt:
        # The cloud took in the updates of who was served in time, so the next round begins with another model.
        teller.learnt = False
        method.renew(teller.renews, method.version + 1)


def scene_of_block(world: SizedWorld, round: int, ids: Ints) -> Scene:
    """Return the round as these devices meet it; nobody's fallback is known."""
    at_s = begins_s(world.scenario, round)
    phones = world.population
    away = ~phones.availability.free(ids, at_s)
    return Scene(round, ids.size, ids, phones.users(ids), phones.profiles(ids), np.full(ids.size, np.nan), ids.size, at_s, away)


def _run(book: Book, needs: Needs, names: tuple[str, ...]) -> None:
    """Let the phones that are still in train or run their model, or find that they cannot."""
    ran = book.active & ((needs.refusal == 0) | (needs.side == "cloud"))
    for name in names:
        book.cost[name] = np.where(book.active if name in PEAKS else ran, getattr(needs.cost, name), book.cost[name])
    if "macs" in names:
        book.bits = np.where(ran, needs.bits, np.nan)
