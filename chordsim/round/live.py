"""A round told live: the cloud half answers, phones are visited, and what comes back is read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Executor
from dataclasses import fields, replace
from typing import Any

import numpy as np

from chordsim.arrays import Bools, Codes, Ints, State
from chordsim.engine.cell import Carrier, CellCall, CellReply
from chordsim.kernels.choose import NATIVE
from chordsim.ledger.columns import OUTCOMES
from chordsim.ledger.invariants import Moved
from chordsim.methods import INVALID, Batch, CloudTurn, Leg
from chordsim.methods.blame import blamed
from chordsim.methods.contract import apart
from chordsim.ragged import Ragged
from chordsim.round.book import STATE, Book
from chordsim.round.candidates import Asked, told_lists
from chordsim.round.enrolled import Enrolled, Hosted
from chordsim.round.guarded import codes, sound, within
from chordsim.round.item_books import Sessions, close_sessions, open_sessions
from chordsim.round.replay import Replay
from chordsim.round.scene import Scene
from chordsim.round.script import Played, closed, told
from chordsim.round.shown import Shown
from chordsim.round.updates import counting, finite
from chordsim.round.visit import Visit, carried, visits
from chordsim.threads import pool
from chordsim.wire.frame import encode_rows
from chordsim.wire.reports import FLAG_UNVERIFIED, Reports, checked, unpack_reports
from chordsim.world import World

#: Phones whose compiled loops take as long as a cell's own turn.
_WORTH_A_CELL = 256


def play(method: Hosted, world: World, scene: Scene, carrier: Carrier, text: str, threads: Executor) -> Played:
    """Play one round of one method and close it.

    Args:
        method: Who plays.
        world: The scenario with its data.
        scene: Who was selected.
        carrier: What moves messages.
        text: The resolved scenario, for clients.
        threads: Where the cloud half answers chunks, one chunk to a thread.
    """
    method.new_model(scene.round, world.scenario.rounds.new_model_every)
    teller = Live(method, world, carrier, text, threads)
    book, before = told(method, world, scene, teller)
    rows, round_s = closed(method, world, teller, book, before)
    moved = Moved(teller.moved_down_bytes, teller.moved_up_bytes, book.charged_bytes["down"], book.charged_bytes["up"])
    return Played(rows, round_s, moved, tuple(teller.errors), teller.prescriptions, +book.quarantined)


class Live:
    """Tells a round by playing it: messages are encoded, carried and decoded.

    Attributes:
        errors: Of lost cells.
        prescriptions: Those that crossed, [M]; None where the exchange has none.
        moved_down_bytes: What the carrier moved to phones, and
        moved_up_bytes: back.
    """

    def __init__(self, method: Hosted, world: World, carrier: Carrier, text: str, threads: Executor) -> None:
        self._method, self._world, self._carrier, self._text, self._threads = method, world, carrier, text, threads
        self._updates: Ragged | None = None
        self._sessions: Sessions | None = None
        self.errors: list[str] = []
        self.prescriptions: Ragged | None = None
        self.moved_down_bytes = self.moved_up_bytes = 0

    def admit(self, book: Book) -> Codes:
        """Ask the cloud half who is refused before any byte."""
        rows, name = book.scene.ids.size, self._method.spec.name
        with blamed(name, f"cloud half, admit, round {book.scene.round}"):
            return codes(self._method.half.admit(self._method.state, book.scene.profiles.budgets), rows, "refusals")

    def asked(self, method: Enrolled, book: Book) -> Asked:
        """Look up what phones hold, what their users did, and what the cloud lists."""
        asked, self._sessions = open_sessions(method, self._world, book)
        return asked

    def exchange(self, book: Book, first: int) -> None:
        """Play the exchange one visit to the phones at a time."""
        method, scene = self._method, book.scene
        book.carried = {f"{STATE}{name}": column[scene.ids] for name, column in method.kept.items()} | self._world.told(scene.users)
        inbox, transfer = Ragged.empty(scene.ids.size), first
        cells = self._world.scenario.engine.cells or self._cells(scene.ids.size)
        for legs in visits(method.spec.exchange):
            wire: dict[str, Ragged] = {}
            for leg in (n for n in legs if n.direction == "down"):
                wire[leg.kind] = self._answer(book, leg, inbox, transfer)
                transfer += 1
            self.prescriptions = wire.get("prescription", self.prescriptions)
            visit = Visit(method, book, legs, transfer, cells, self._header())
            for reply in carried(visit.calls(wire), self._carrier, method.blobs, book.quarantined):
                self.moved_down_bytes += reply.moved_down_bytes
                self.moved_up_bytes += reply.moved_up_bytes
                self.errors += visit.take(reply)
            for leg in (n for n in legs if n.direction == "up"):
                inbox = visit.read(leg, transfer)
                transfer += 1
                if leg.kind == "update":
                    self._updates = inbox
                if leg.kind == "report":
                    _read_reports(book, inbox, self._world.n_items)

    def shown(self, book: Book, before: Ints) -> Shown | None:
        """Let unserved phones use the prescriptions that they held, made again."""
        method, scene = self._method, book.scene
        who = scene.real & (book.outcome != OUTCOMES.index("served")) & (before > 0)
        if not who.any():
            return None

        def exchange(calls: list[CellCall]) -> Iterator[CellReply]:
            for reply in carried(calls, self._carrier, method.blobs, book.quarantined):
                if reply.error:
                    # Nobody is served by it, and yet rows say what these phones showed.
                    self.errors.append(f"{method.spec.name}, round {scene.round}, cell {reply.cell} of old prescriptions: {reply.error}")
                yield reply

        return Replay(method.spec, method.half, method.state, self._header(), exchange, self._world).shown(scene, who, before)

    def after(self, book: Book) -> None:
        """Keep the state that phones gave back; let the cloud take in their updates."""
        self._method.commit(book)
        if self._sessions is not None:
            close_sessions(self._method, book, self._sessions)
        self.heard(book, self._updates)

    def heard(self, book: Book, updates: Ragged | None) -> None:
        """Let the cloud take in what phones sent, [M]; None where nobody was visited."""
        if updates is not None:
            _learn(self._method, book, updates, self._world.scenario.engine.timeout_s)

    def _cells(self, phones: int) -> int:
        """Return how many cells to make: as many as the workers can use, or fewer where each would have little to do.

        Threads of one process wait for one another in all but compiled loops, so a cell of few phones that rank by those costs a
        turn of its own and saves nobody's time.
        """
        engine, spec = self._world.scenario.engine, self._method.spec
        if engine.kind != "inprocess" or self._world.kernel != NATIVE or spec.needs_autograd:
            return self._carrier.cells
        return min(self._carrier.cells, max(phones // _WORTH_A_CELL, 1))

    def _header(self) -> dict[str, Any]:
        """Return what every call says, but legs and round."""
        kept = self._world.scenario.protocol.keep_lists
        told = {"lists": [kept, self._world.n_items]} if kept else {}
        return {"scenario": self._text, "data": self._world.digest, "method": self._method.spec.name, "blobs": self._method.labels, **told}

    def _answer(self, book: Book, leg: Leg, inbox: Ragged, transfer: int) -> Ragged:
        """Let the cloud half answer one down leg, chunk by chunk, and put what crosses on the wire."""
        method, scene, size = self._method, book.scene, book.scene.chunk_size

        where, limit_s = f"cloud half, leg {leg.direction} {leg.kind}, round {scene.round}", self._world.scenario.engine.timeout_s

        if apart(method.half):
            size = max(self._world.scenario.engine.chunk_size // size, 1) * size

        def respond(start: int) -> CloudTurn:
            rows = slice(start, min(start + size, scene.ids.size))
            with blamed(method.spec.name, where):
                who = told_lists(scene.batch(rows, book.active), method.spec, self._world, scene.users[rows])
                turn = method.half.respond(method.state, leg, who, inbox.slice(rows.start, rows.stop))
                return sound(turn, rows.stop - rows.start)

        coming = [self._threads.submit(respond, start) for start in range(0, scene.ids.size, size)]
        turns = [within(one, limit_s, self._threads, method.spec.name, where) for one in coming]
        refusal, binding = np.concatenate([t.refusal for t in turns]), np.concatenate([t.binding for t in turns])
        book.cloud_macs += np.where(book.active, np.concatenate([t.macs for t in turns]), 0)
        book.binding = np.where(book.active, np.maximum(book.binding, binding), book.binding)
        book.quarantine(book.active & (refusal == INVALID), "senseless questions")
        book.refuse(book.active & (refusal > 0), refusal, "cloud")
        frames = encode_rows(leg.kind, method.spec.name, scene.round, Ragged.concat([t.outbox for t in turns]), book.active)
        crossed = book.crossing(frames.lengths, transfer)
        book.transfer(leg, frames.lengths, crossed, transfer)
        return frames.truncate(crossed)


def _read_reports(book: Book, payloads: Ragged, n_items: int) -> None:
    """Read ranks and refusals; a report that makes no sense fails its phone alone."""
    # A miss is one more than there are items.
    reports, sound = unpack_reports(payloads, n_items + 1)
    if book.unreported.any():
        reports, sound = _with_cut(book, reports, sound, n_items + 1)
    book.quarantine(book.active & ~sound, "senseless reports")
    book.rank = np.where(book.active, reports.rank, book.rank)
    book.quarantine(book.active & ((reports.flags & FLAG_UNVERIFIED) > 0), "unverified: messages, weights or scores that no phone can use")
    book.refuse(book.active & (reports.refusal > 0), reports.refusal, "device")
    book.end(book.active & np.isnan(book.rank), "failed")


def _with_cut(book: Book, read: Reports, sound: Bools, highest: int) -> tuple[Reports, Bools]:
    """Return the reports, with what the simulator has of those that the link cut; it is held to the same rules."""
    refusal = book.carried["refusal"].astype(np.uint8)
    flags = np.where(refusal == INVALID, FLAG_UNVERIFIED, 0).astype(np.uint8)
    said = Reports(book.carried["rank"], np.where(refusal == INVALID, 0, refusal).astype(np.uint8), flags)
    beside, fair = checked(said, book.unreported, highest)
    cut = book.unreported
    whole = Reports(*(np.where(cut, getattr(beside, f.name), getattr(read, f.name)) for f in fields(Reports)))
    return whole, np.where(cut, fair, sound)


def _learn(method: Hosted, book: Book, updates: Ragged, limit_s: float) -> None:
    """Let the cloud take in updates in chunk order."""
    size = book.scene.chunk_size
    chunks = range(book.scene.ids.size // size)
    received: Bools = book.active
    rows = [slice(n * size, (n + 1) * size) for n in chunks]
    # The cloud knows whose account an update comes from, and has that user's logs.
    who = [replace(book.scene.chunk(n, received), user_ids=book.scene.users[rows[n]]) for n in chunks]
    parts = [(batch, updates.slice(at.start, at.stop)) for batch, at in zip(who, rows, strict=True)]
    late = book.outcome == OUTCOMES.index("late")
    book.quarantined["late updates"] += int(np.count_nonzero(late & (updates.lengths > 0)))
    take_in(method, parts, book.quarantined, limit_s)


def take_in(method: Hosted, parts: list[tuple[Batch, Ragged]], quarantined: Counter[str], limit_s: float) -> None:
    """Let the cloud half learn from chunks of updates, and count what it sets aside; a new state means a new bootstrap.

    Raises:
        MethodError: It raises, or takes longer than the limit.
    """
    name, round = method.spec.name, parts[0][0].round
    where = f"cloud half, learn, round {round}"

    def learnt() -> tuple[State, bool]:
        with counting(quarantined), blamed(name, where):
            state = method.half.learn(method.state, parts)
            return state, finite(state)

    with pool(1) as thread:
        state, numbers = within(thread.submit(learnt), limit_s, thread, name, where)
    if not numbers:
        quarantined["learnt states"] += 1
    elif state is not method.state:
        with blamed(name, f"cloud half, bootstrap, round {round}"):
            method.update(state, method.version + 1)
