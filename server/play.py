"""One method plays one round: admission, bootstrap, then the legs of its exchange, one visit to the phones at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field

import numpy as np

from chordsim import candidates
from chordsim.engine.cell import Carrier, CellCall, CellReply
from chordsim.ledger.columns import OUTCOMES
from chordsim.ledger.invariants import Moved
from chordsim.ledger.rows import Rows
from chordsim.methods import INVALID, CloudHalf, CloudTurn, Columns, Leg, MethodSpec, State
from chordsim.ragged import Bools, Ints, Ragged
from chordsim.wire.blobs import blob_digest
from chordsim.wire.errors import Absent
from chordsim.wire.report import FLAG_UNVERIFIED, unpack_reports
from chordsim.wire.rows import decode_rows, encode_rows
from chordsim.world import World
from server.book import CARRIED, COST, PEAKS, STATE, Book, column_like
from server.close import close, settle
from server.held import flat, spend
from server.quarantine import Visit, counting, finite, inspected
from server.scene import Scene
from server.stale import Replay, Shown, can_replay


@dataclass
class Enrolled:
    """A method that is ready to play.

    Attributes:
        spec: The method.
        half: Its cloud half.
        state: Its trained state.
        held: Version of the bootstrap that each device owns, 0 for none, [devices]; memory that no device
            touches is never paged in.
        version: Version of the bootstrap in force.
        kept: Device state by name, as the method's device half last gave it back, [devices, ...]; zeros before.
        remembered: What the simulator itself remembers of each device, see `server.held`.
        blobs: Bootstrap parts by digest.
        labels: Digest of each part by label.
        introduced: Version in which each part last changed, by label; a phone lacks the parts that are newer
            than what it holds.
    """

    spec: MethodSpec
    half: CloudHalf
    state: State
    held: Ints
    version: int = 1
    kept: Columns = field(default_factory=dict)
    remembered: Columns = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    introduced: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.update(self.state, self.version)

    def update(self, state: State, version: int, introduced: Mapping[str, int] | None = None) -> None:
        """Take a new state into force, with the bootstrap that it gives; a part that is the same is no news.

        Args:
            state: The new state.
            version: Its version.
            introduced: When each part last changed, where that is known from a checkpoint.
        """
        self.state, self.version, before = state, version, self.labels
        parts = [(blob.label, blob_digest(blob.data), blob.data) for blob in self.half.bootstrap(state)]
        self.blobs = {digest: data for _, digest, data in parts}
        self.labels = {label: digest for label, digest, _ in parts}
        kept = {label: self.introduced[label] for label, digest in self.labels.items() if before.get(label) == digest}
        self.introduced = dict(introduced) if introduced else {label: kept.get(label, version) for label in self.labels}

    def renew(self, round: int, every: int) -> None:
        """Put a new cloud model into force after every so many rounds; one that learns brings its own versions."""
        if every and not self.spec.learns:
            version = 1 + (round - 1) // every
            if version != self.version:
                self.version, self.introduced = version, dict.fromkeys(self.labels, version)

    def columns(self) -> Columns:
        """Return the device state that outlives a round, one array over all devices each."""
        return {"held": self.held, **self.remembered, **{f"{STATE}{name}": column for name, column in self.kept.items()}}

    def commit(self, book: Book) -> None:
        """Keep the state that phones gave back this round."""
        ids, real = book.scene.ids, book.scene.real
        for name, column in book.carried.items():
            if name.startswith(STATE):
                all_devices = self.kept.setdefault(name.removeprefix(STATE), column_like(column, self.held.size))
                all_devices[ids[real]] = column[real]

    @property
    def bootstrap_bytes(self) -> int:
        """Bytes that a phone downloads before its first round."""
        return sum(len(self.blobs[digest]) for digest in self.labels.values())

    def missing_bytes(self, ids: Ints) -> Ints:
        """Return the bytes of the parts that each device lacks, shape of ``ids``."""
        sizes = [(self.introduced[label], len(self.blobs[digest])) for label, digest in self.labels.items()]
        held = self.held[ids]
        return np.asarray(sum((np.where(held < since, size, 0) for since, size in sizes), np.zeros(ids.size, np.int64)), np.int64)


@dataclass(frozen=True)
class Played:
    """A closed round of one method: its rows, what the carrier moved, the errors of lost cells, the prescriptions that crossed.

    `quarantined` counts what was set aside because it made no sense, by what it was.
    """

    rows: Rows
    moved: Moved
    errors: tuple[str, ...]
    round_s: float = 0.0
    prescriptions: Ragged | None = None
    quarantined: Mapping[str, int] = field(default_factory=dict)


def visits(exchange: tuple[Leg, ...]) -> list[list[Leg]]:
    """Cut an exchange into visits to the phone: down legs, then up legs."""
    out: list[list[Leg]] = [[]]
    for leg in exchange:
        if leg.direction == "down" and out[-1] and out[-1][-1].direction == "up":
            out.append([])
        out[-1].append(leg)
    return [legs for legs in out if legs]


def play(method: Enrolled, world: World, scene: Scene, carrier: Carrier, text: str, threads: Executor) -> Played:
    """Play one round of one method and close it.

    Args:
        method: Who plays.
        world: The scenario with its data.
        scene: Who was selected.
        carrier: What moves messages.
        text: The resolved scenario, for clients.
        threads: Where the cloud half answers chunks, one chunk to a thread.
    """
    spec = method.spec
    method.renew(scene.round, world.scenario.rounds.new_model_every)
    needs = (method.held[scene.ids] != method.version) & (method.bootstrap_bytes > 0)
    listed_bytes = candidates.sent_bytes(world.scenario, spec, world.n_items)
    book = Book(world.scenario, scene, len(spec.exchange) + (listed_bytes > 0), needs)
    book.end(book.active & (scene.away | flat(method.remembered, world.scenario, scene.ids, scene.at_s)), "offline")
    before = method.remembered["plan_round"][scene.ids].astype(np.int64)
    refusal = method.half.admit(method.state, scene.profiles.budgets)
    book.refuse(book.active & (refusal > 0), refusal, "cloud")
    book.transfer_bootstrap(method.missing_bytes(scene.ids))
    method.held[scene.ids[book.needs & book.active]] = method.version
    lists = book.transfer_candidates(listed_bytes, 1) if listed_bytes else 0
    book.carried = {f"{STATE}{name}": column[scene.ids] for name, column in method.kept.items()}
    inbox, transfer, moved, errors = Ragged.empty(scene.ids.size), 1 + (listed_bytes > 0), [0, 0], []
    updates, prescriptions = None, None
    for legs in visits(spec.exchange):
        wire: dict[str, Ragged] = {}
        for leg in (n for n in legs if n.direction == "down"):
            wire[leg.kind] = _answer(method, book, leg, inbox, transfer, threads)
            transfer += 1
        prescriptions = wire.get("prescription", prescriptions)
        ups = [leg for leg in legs if leg.direction == "up"]
        visit = _Visit(method, book, legs, transfer, world.scenario.engine.cells or carrier.cells, text, world.digest)
        for reply in _carried(visit.calls(wire), carrier, method.blobs, book.quarantined):
            moved[0] += reply.moved_down_bytes
            moved[1] += reply.moved_up_bytes
            errors += visit.take(reply)
        for leg in ups:
            inbox = visit.read(leg, transfer)
            transfer += 1
            if leg.kind == "update":
                updates = inbox
            if leg.kind == "report":
                _read_reports(book, inbox, world.n_items)
    round_s = settle(book, world)
    rows = close(book, spec, world, _shown(method, book, before, carrier, text, world))
    method.commit(book)
    spend(method.remembered, world.scenario, rows["device_id"], scene.at_s, rows["compute_j"] + rows["radio_j"])
    # After the close, since the cloud does not wait for who is late.
    if updates is not None:
        _learn(method, book, updates)
    charged = int((book.bytes["bootstrap"] - book.bootstrap_cut).sum()) + lists
    return Played(rows, Moved(moved[0], moved[1], charged), tuple(errors), round_s, prescriptions, +book.quarantined)


def _shown(method: Enrolled, book: Book, before: Ints, carrier: Carrier, text: str, world: World) -> Shown | None:
    """Return what unserved phones show from before; remember what every phone holds from now on."""
    scene, spec = book.scene, method.spec
    # A method that keeps state of its own on the phone cannot be put back by its plan alone.
    if not can_replay(spec) or method.kept:
        return None
    served = book.outcome == OUTCOMES.index("served")
    planned = any(leg.kind == "prescription" for leg in spec.exchange)
    # A plan that arrived whole is held from the next round on, whatever became of the report.
    broken = np.isin(book.outcome, [OUTCOMES.index(name) for name in ("refused", "failed")])
    has = book.bytes["prescription"] > 0 if planned else (method.held[scene.ids] == method.version) & ~scene.away
    got = scene.real & has & ~broken & (book.bytes["cut_down"] == 0)
    method.remembered["plan_round"][scene.ids[got]] = scene.round
    who = scene.real & ~served & (before > 0)
    if not who.any():
        return None
    header = {"scenario": text, "data": world.digest, "method": spec.name, "blobs": method.labels}
    replay = Replay(spec, method.half, method.state, header, lambda calls: _carried(calls, carrier, method.blobs, book.quarantined))
    return replay.shown(scene, who, before)


def _answer(method: Enrolled, book: Book, leg: Leg, inbox: Ragged, transfer: int, threads: Executor) -> Ragged:
    """Let the cloud half answer one down leg, chunk by chunk, and put what crosses on the wire."""
    scene, size = book.scene, book.scene.chunk_size

    def respond(number: int) -> CloudTurn:
        who = scene.chunk(number, book.active)
        return method.half.respond(method.state, leg, who, inbox.slice(number * size, (number + 1) * size))

    turns = list(threads.map(respond, range(scene.ids.size // size)))
    refusal, binding = np.concatenate([t.refusal for t in turns]), np.concatenate([t.binding for t in turns])
    book.cloud_macs += np.where(book.active, np.concatenate([t.macs for t in turns]), 0)
    book.binding = np.where(book.active, np.maximum(book.binding, binding), book.binding)
    book.quarantine(book.active & (refusal == INVALID), "senseless questions")
    book.refuse(book.active & (refusal > 0), refusal, "cloud")
    frames = encode_rows(leg.kind, method.spec.name, scene.round, Ragged.concat([t.outbox for t in turns]), book.active)
    crossed = book.crossing(frames.lengths, transfer)
    book.transfer(leg, frames.lengths, crossed, transfer)
    return frames.truncate(crossed)


class _Visit:
    """One visit to the phones: calls out to cells, replies back."""

    def __init__(self, method: Enrolled, book: Book, legs: list[Leg], transfer: int, cells: int, text: str, data: str) -> None:
        self._method, self._book, self._legs, self._text, self._data = method, book, legs, text, data
        self._cells = book.scene.cells(cells)
        ups = sum(leg.direction == "up" for leg in legs)
        self._fraction = book.fraction[:, transfer : transfer + ups]
        self._replies: dict[int, CellReply] = {}

    def calls(self, wire: dict[str, Ragged]) -> list[CellCall]:
        """Return one call per cell."""
        header = {
            "scenario": self._text,
            "data": self._data,
            "method": self._method.spec.name,
            "round": self._book.scene.round,
            "legs": [[leg.direction, leg.kind] for leg in self._legs],
            "blobs": self._method.labels,
        }
        book = self._book
        columns = {"device_id": book.scene.ids, "active": book.active, "up_fraction": self._fraction, **book.carried}
        return [
            CellCall(
                number,
                header,
                {name: np.ascontiguousarray(value[cell]) for name, value in columns.items()},
                {kind: rows.slice(cell.start, cell.stop) for kind, rows in wire.items()},
            )
            for number, cell in enumerate(self._cells)
        ]

    def take(self, reply: CellReply) -> list[str]:
        """Take one cell's answer and return its errors; the phones of a lost cell have failed."""
        book, cell = self._book, self._cells[reply.cell]
        if reply.error:
            lost = np.zeros(book.active.size, np.bool_)
            lost[cell] = True
            book.end(lost & book.active, "failed")
            return [f"{self._method.spec.name}, round {book.scene.round}, cell {reply.cell}: {reply.error}"]
        self._replies[reply.cell] = reply
        for name in COST:
            before, spent = book.cost[name][cell], reply.columns[name]
            book.cost[name][cell] = np.maximum(before, spent) if name in PEAKS else before + spent
        for name, column in reply.columns.items():
            if name in CARRIED or name.startswith(STATE):
                book.carried.setdefault(name, column_like(column, book.active.size))[cell] = column
        bits = reply.columns["bits"]
        book.bits[cell] = np.where(np.isnan(bits), book.bits[cell], bits)
        return []

    def read(self, leg: Leg, transfer: int) -> Ragged:
        """Count one up leg and return its payloads; what was cut drops the phone, what makes no sense fails it."""
        book = self._book
        rows = [self._replies.get(n) for n in range(len(self._cells))]
        frames = Ragged.concat([r.wire[leg.kind] if r else Ragged.empty(c.stop - c.start) for r, c in zip(rows, self._cells, strict=True)])
        whole = np.concatenate(
            [r.columns[f"whole.{leg.kind}"] if r else np.zeros(c.stop - c.start, np.int64) for r, c in zip(rows, self._cells, strict=True)]
        )
        book.transfer(leg, whole, frames.lengths, transfer)
        payloads, bad = decode_rows(leg.kind, self._method.spec.name, book.scene.round, frames)
        # Nothing at all is a lost cell or an empty row of a phone that was set aside, counted there.
        book.quarantine(book.active & (bad > Absent.code), f"unreadable {leg.kind} messages")
        book.end(book.active & (bad != 0), "failed")
        return payloads


def _carried(calls: list[CellCall], carrier: Carrier, blobs: dict[str, bytes], seen: Counter[str]) -> Iterator[CellReply]:
    """Exchange calls; a cell whose worker lacks bootstrap parts is sent again with them.

    Another worker may answer the second time, or the same one after a restart, so what was asked for adds up.
    """
    waiting = {call.cell: call for call in calls}
    for _ in range(1 + len(blobs)):
        for reply in carrier.exchange(list(waiting.values())):
            call = waiting[reply.cell]
            if reply.missing and not reply.error:
                parts = {**call.blobs, **{d: blobs[d] for d in reply.missing if d in blobs}}
                waiting[reply.cell] = CellCall(call.cell, call.header, call.columns, call.wire, parts)
            else:
                del waiting[reply.cell]
                yield inspected(reply, Visit.of(call), seen)
        if not waiting:
            return
    for cell in waiting:
        yield CellReply(cell, error="bootstrap parts arrived damaged again and again")


def _read_reports(book: Book, payloads: Ragged, n_items: int) -> None:
    """Read ranks and refusals; a report that makes no sense fails its phone alone."""
    # A miss is one more than there are items.
    reports, sound = unpack_reports(payloads, n_items + 1)
    book.quarantine(book.active & ~sound, "senseless reports")
    book.rank = np.where(book.active, reports.rank, book.rank)
    book.end(book.active & ((reports.flags & FLAG_UNVERIFIED) > 0), "failed")
    book.refuse(book.active & (reports.refusal > 0), reports.refusal, "device")
    book.end(book.active & np.isnan(book.rank), "failed")


def _learn(method: Enrolled, book: Book, updates: Ragged) -> None:
    """Let the cloud take in updates in chunk order; a new state means a new bootstrap."""
    size = book.scene.chunk_size
    chunks = range(book.scene.ids.size // size)
    received: Bools = book.active
    parts = [(book.scene.chunk(n, received), updates.slice(n * size, (n + 1) * size)) for n in chunks]
    late = book.outcome == OUTCOMES.index("late")
    book.quarantined["late updates"] += int(np.count_nonzero(late & (updates.lengths > 0)))
    with counting(book.quarantined):
        state = method.half.learn(method.state, parts)
    if not finite(state):
        book.quarantined["learnt states"] += 1
    elif state is not method.state:
        method.update(state, method.version + 1)
