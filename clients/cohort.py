"""The cohort step: one cell of phones takes its part of a round, chunk by chunk.

Rows of refused, dropped and padding phones are computed and thrown away, so that every product has the same
shape whatever happened to whom.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from chordsim import evaluate, methods
from chordsim.arrays import Bools, Columns, Floats, Ints
from chordsim.config.model import ProtocolConfig
from chordsim.engine.cell import CellCall, CellReply
from chordsim.errors import WireError
from chordsim.memory import keep_freed_pages
from chordsim.methods import COST, INVALID, PEAKS, Cost, DeviceHalf, History, Leg, MethodSpec, PhoneBatch, Turn
from chordsim.methods.blame import blamed
from chordsim.methods.contract import apart
from chordsim.methods.exchange import Ranker, blob_digest
from chordsim.nets.frozen import BackboneMismatch
from chordsim.ragged import Ragged
from chordsim.threads import beat, one_thread_per_product
from chordsim.wire.errors import BadPayload
from chordsim.wire.frame import decode_rows, encode_rows
from chordsim.wire.reports import FLAG_UNVERIFIED, Reports, pack_reports
from chordsim.world import LISTED, World, of_text
from clients.met import Known, Met

#: Phones that are looked up together, in whole chunks; drawing a few hundred takes little less than thousands.
_TOGETHER = 4096
#: Phones that take a turn together where a phone's results hang on nobody else: a turn costs as much as several phones.
_JOINED = 1024
_LOG = logging.getLogger(__name__)


@dataclass
class Node:
    """What one worker process holds between calls.

    Attributes:
        blobs: Bootstrap parts by digest.
        models: Device halves and their loaded models, by method and the digests they came from.
        named: Digests of the parts that each method's model was made of.
    """

    blobs: dict[str, bytes] = field(default_factory=dict)
    models: dict[str, tuple[tuple[str, ...], DeviceHalf, Any]] = field(default_factory=dict)
    named: dict[str, frozenset[str]] = field(default_factory=dict)
    lock: Lock = field(default_factory=Lock)
    met: Met = field(default_factory=Met)

    def take(self, parts: Mapping[str, bytes]) -> None:
        """Keep bootstrap parts that are what their names say; threads that bring the same ones wait until one of them has looked."""
        with self.lock:
            self.blobs |= {name: data for name, data in parts.items() if name not in self.blobs and blob_digest(data) == name}

    def model(self, world: World, spec: MethodSpec, labels: dict[str, str]) -> tuple[DeviceHalf, Any]:
        """Return the half and its model, loaded anew when the bootstrap changed."""
        key = (world.context_key(spec.name), *(f"{label} {digest}" for label, digest in sorted(labels.items())))
        with self.lock:
            held = self.models.get(spec.name)
            if held is None or held[0] != key:
                with blamed(spec.name, "device half"):
                    half: DeviceHalf = methods.load(spec.device)(world.context(spec.name))
                try:
                    with blamed(spec.name, "device half, load"):
                        model = half.load(_Parts({label: self.blobs[digest] for label, digest in labels.items()}))
                    held = (key, half, model)
                except (WireError, BackboneMismatch) as error:
                    _LOG.warning("%s: the phones do not run this bootstrap: %s", spec.name, error)
                    held = (key, Unverified(), None)
                self.models[spec.name] = held
                self._forget(spec.name, frozenset(labels.values()))
        return held[1], held[2]

    def _forget(self, method: str, parts: frozenset[str]) -> None:
        """Drop the parts of a method's last bootstrap that nobody names any more: one that learns has a new one each round."""
        before, self.named[method] = self.named.get(method, frozenset()), parts
        for digest in before.difference(*self.named.values()):
            self.blobs.pop(digest, None)


class _Parts(dict[str, bytes]):
    """Bootstrap parts by label; one that the cloud left out is a typed error like one that it damaged."""

    def __missing__(self, label: str) -> bytes:
        raise BadPayload(f"the bootstrap has no part {label!r}")


class Unverified:
    """Stands in for a device half whose bootstrap does not verify: every phone says so and runs nothing."""

    def load(self, blobs_by_label: Mapping[str, bytes]) -> None:
        """Load nothing."""

    def act(self, model: Any, state: Columns, leg: Leg, who: PhoneBatch, history: History, inbox: Ragged) -> Turn:
        """Refuse."""
        rows = len(who)
        return Turn(Ragged.empty(rows), np.full(rows, INVALID, np.uint8), Cost.zero(rows), np.full(rows, np.nan))


def step(node: Node, call: CellCall) -> CellReply:
    """Play one segment of a method's exchange for one cell.

    Args:
        node: This worker's memory.
        call: Header keys ``scenario`` (resolved text), ``data`` (its digest), ``method``, ``round``, ``legs``, ``blobs``
            (label to digest);
            columns ``device_id``, ``active``, ``up_fraction`` [M, up legs] and ``state.*``; after the round's first
            visit also ``rank``, ``refusal`` and, where lists are kept, ``list``.
    """
    one_thread_per_product()
    keep_freed_pages()
    header = call.header
    node.take(call.blobs)
    missing = tuple(d for d in header["blobs"].values() if d not in node.blobs)
    if missing:
        return CellReply(call.cell, missing=missing)
    world = of_text(header["scenario"], header.get("data", ""))
    spec = world.specs[header["method"]]
    half, model = node.model(world, spec, dict(header["blobs"]))
    legs = [Leg(direction, kind) for direction, kind in header["legs"]]
    guard: contextlib.AbstractContextManager[Any] = contextlib.nullcontext() if spec.needs_autograd else torch.inference_mode()
    joins = apart(half) and not makes_all_scores(world.scenario.protocol)
    with guard:
        parts = _chunks(world, spec, call, node.met, joins)
        chunks = [_Chunk(world, spec, call, rows, known).play(half, model, legs) for rows, known in parts]
    columns = {name: np.concatenate([c[0][name] for c in chunks]) for name in chunks[0][0]}
    wire = {kind: Ragged.concat([c[1][kind] for c in chunks]) for kind in chunks[0][1]}
    return CellReply(call.cell, columns, wire)


def makes_all_scores(protocol: ProtocolConfig) -> bool:
    """Whether ranking keeps a score for each item, so that many phones at once take much memory."""
    return protocol.ranking == "sampled-100" or protocol.ranking == "all" and protocol.keep_lists > 0


def _chunks(world: World, spec: MethodSpec, call: CellCall, met: Met, joins: bool) -> Iterator[tuple[slice, Known]]:
    """Yield a cell's chunks with what there is to know of their phones, which is looked up for several chunks together.

    Where ``joins``, several chunks are one.
    """
    ids, size = call.columns["device_id"], world.chunk_size
    if ids.size == 0 or ids.size % size:
        raise ValueError(f"a cell of {ids.size} phones is not a whole number of chunks of {size}")
    round, length = int(call.header["round"]), spec.history_length(world.scenario.backbone.max_len)
    together = max(_TOGETHER // size, 1) * size
    turn = max(_JOINED // size, 1) * size if joins else size
    for first in range(0, ids.size, together):
        known = met.known(world, round, ids[first : first + together], length)
        for at in range(0, known.users.size, turn):
            stop = min(at + turn, known.users.size)
            yield slice(first + at, first + stop), known.of(slice(at, stop))


class _Chunk:
    """One chunk's walk through the legs of a segment."""

    def __init__(self, world: World, spec: MethodSpec, call: CellCall, rows: slice, known: Known) -> None:
        self.world, self.spec, self.call, self.rows, self.known = world, spec, call, rows, known
        self.round = int(call.header["round"])
        ids = call.columns["device_id"][rows]
        # Of a model that lists, phones know what the call brings; what is counted, any process counts.
        told = call.columns.get(LISTED)
        self.listed: Ints | None = world.candidates(self.known.users) if told is None else told[self.rows].astype(np.int64)
        self.who = PhoneBatch(ids, call.columns["active"][self.rows].copy(), self.round, self.known.budgets, self.listed)
        self.history: History = self.known.history
        count = ids.size
        # What an earlier visit of this round left: a phone that refused or ranked then has not forgotten it.
        self.rank = self._carried("rank", np.full(count, np.nan))
        self.refusal = self._carried("refusal", np.zeros(count, np.uint8))
        self.bits = np.full(count, np.nan)
        self.cost = {name: np.zeros(count, np.int64) for name in COST}
        self.state: Columns = {
            name.removeprefix("state."): column[self.rows] for name, column in call.columns.items() if name.startswith("state.")
        }
        self.kept: Columns = {}
        # The items that each phone ranked first, where the ledger keeps them; no column of it where it does not.
        self.first: npt.NDArray[np.int32] = self._carried("list", np.zeros((count, world.scenario.protocol.keep_lists), np.int32))

    def play(self, half: DeviceHalf, model: Any, legs: list[Leg]) -> tuple[Columns, dict[str, Ragged]]:
        """Take all legs in order and return columns and encoded up messages."""
        wire: dict[str, Ragged] = {}
        for leg, number in _numbered(legs):
            inbox = Ragged.empty(len(self.who))
            if leg.direction == "down":
                inbox = self._receive(leg)
            with blamed(self.spec.name, f"device half, leg {leg.direction} {leg.kind}, round {self.round}", all_errors=True):
                turn = half.act(model, self.state, leg, self.who, self.history, inbox)
                # What makes no sense in a turn is found when it is taken, or encoded.
                self._take(turn)
                if leg.direction == "up":
                    self._send(leg, number, turn, wire)
            beat()
        columns: Columns = {"rank": self.rank, "refusal": self.refusal, "bits": self.bits, **self.cost}
        if self.first.size:
            columns["list"] = self.first
        return {**columns, **self.kept, **{f"state.{k}": v for k, v in self.state.items()}}, wire

    def _send(self, leg: Leg, number: int, turn: Turn, wire: dict[str, Ragged]) -> None:
        """Encode an up message and cut it where the link breaks."""
        payload = self._report() if leg.kind == "report" else turn.outbox
        frames = encode_rows(leg.kind, self.spec.name, self.round, payload, self.who.active)
        fraction = self.call.columns["up_fraction"][self.rows, number]
        wire[leg.kind] = _cut(frames, fraction)
        self.kept[f"whole.{leg.kind}"] = frames.lengths
        # A lost connection is lost for the rest of the round.
        self.who.active[fraction < 1] = False

    def _receive(self, leg: Leg) -> Ragged:
        """Decode a down leg; a phone that cannot verify its message neither acts nor answers with a ranking."""
        frames = self.call.wire[leg.kind].slice(self.rows.start, self.rows.stop)
        payloads, errors = decode_rows(leg.kind, self.spec.name, self.round, frames)
        bad = self.who.active & (errors != 0)
        self.refusal[bad & (self.refusal == 0)] = INVALID
        return payloads

    def _take(self, turn: Turn) -> None:
        active = self.who.active
        fresh = active & (self.refusal == 0)
        self.refusal[fresh] = turn.refusal[fresh]
        ranked = self._ranked(turn)
        if ranked is not None:
            # Scores that are no numbers come from weights that are none: such a phone has nothing to show.
            self.refusal[fresh & (self.refusal == 0) & ~ranked[1]] = INVALID
        ran = fresh & (self.refusal == 0)
        for name in COST:
            spent = getattr(turn.cost, name)
            mine = self.cost[name]
            # What a refused phone would have needed stays on record, since it is why the phone refused.
            mine[fresh] = np.maximum(mine, spent)[fresh] if name in PEAKS else (mine + spent)[fresh]
        for name in set(COST) - set(PEAKS):
            self.cost[name][fresh & ~ran] = 0
        told = fresh & ~np.isnan(turn.bits)
        self.bits[told] = turn.bits[told]
        self.bits[fresh & ~ran] = np.nan
        for name, column in turn.state.items():
            before = self.state.get(name, np.zeros_like(column))
            self.state[name] = np.where(fresh.reshape(-1, *[1] * (column.ndim - 1)), column, before)
        if ranked is not None:
            self.rank[ran] = ranked[0][ran]
            if self.first.size:
                self.first[ran] = self._first(turn)[ran]

    def _carried(self, name: str, otherwise: Any) -> Any:
        column = self.call.columns.get(name)
        return otherwise if column is None else column[self.rows].copy()

    def _ranked(self, turn: Turn) -> tuple[Floats, Bools] | None:
        """Return each target's rank and whether a phone's scores are numbers; None for a turn that ranks nothing."""
        if turn.scores is None and turn.ranking is None:
            return None
        protocol, n_items, users = self.world.scenario.protocol, self.world.n_items, self.known.users
        targets, spans, candidates = self.known.targets, self.known.spans, self.listed
        if turn.scores is None:
            assert turn.ranking is not None
            ranking = turn.ranking if self.spec.ranks != "candidates" else self._at(turn.ranking)
            return evaluate.rank_list(ranking, targets, spans.pairs(), n_items, protocol, candidates), np.ones(targets.size, np.bool_)
        if isinstance(turn.scores, np.ndarray):
            scores, listed = turn.scores, False
        elif candidates is not None:
            scores, listed = turn.scores.of(candidates), True
        elif not isinstance(turn.scores, Ranker):
            raise TypeError(f"{self.spec.name} scores what a list holds, and this protocol ranks all items")
        elif protocol.ranking == "all":
            return turn.scores.ranks(targets, spans, protocol)
        else:
            scores, listed = turn.scores.all(), False
        with np.errstate(over="ignore", invalid="ignore"):
            numbers = ~np.isnan(scores.sum(axis=1))
        if listed:
            assert candidates is not None
            return evaluate.rank_listed(scores, candidates, targets, spans.pairs(), protocol, n_items), numbers
        draw = (self.world.scenario.seed, users, self.round)
        return evaluate.rank_scores(scores, targets, spans.pairs(), protocol, draw, candidates), numbers

    def _first(self, turn: Turn) -> npt.NDArray[np.int32]:
        """Return the items that a turn ranks first, [D, k]."""
        scenario, n_items, seen = self.world.scenario, self.world.n_items, self.known.spans.pairs()
        if turn.scores is None:
            assert turn.ranking is not None
            ranking = turn.ranking if self.spec.ranks != "candidates" else self._at(turn.ranking)
            return evaluate.first_items(scenario.protocol, n_items, seen, listed=ranking, candidates=self.listed)
        if isinstance(turn.scores, np.ndarray):
            return evaluate.first_items(scenario.protocol, n_items, seen, scores=turn.scores, candidates=self.listed)
        if self.listed is not None:
            return evaluate.first_items(scenario.protocol, n_items, seen, scores=turn.scores.of(self.listed), listed=self.listed)
        return evaluate.first_items(scenario.protocol, n_items, seen, scores=turn.scored())

    def _at(self, places: Ints) -> Ints:
        """Return the items that stand at places [D, n], from 1, of the cloud's lists, which are lists also where everything is ranked."""
        listed = self.world.listed(self.known.users) if self.listed is None else self.listed
        padded = np.pad(listed, ((0, 0), (1, 0)))
        return np.take_along_axis(padded, np.where(places < padded.shape[1], places, 0), 1)

    def _report(self) -> Ragged:
        flags = np.where(self.refusal == INVALID, FLAG_UNVERIFIED, 0).astype(np.uint8)
        refusal = np.where(self.refusal == INVALID, 0, self.refusal).astype(np.uint8)
        return Ragged.of_matrix(pack_reports(Reports(self.rank, refusal, flags)))


def _numbered(legs: list[Leg]) -> Iterator[tuple[Leg, int]]:
    """Yield legs with the number of each among the up legs."""
    ups = 0
    for leg in legs:
        yield leg, ups
        ups += leg.direction == "up"


def _cut(frames: Ragged, fraction: methods.Floats) -> Ragged:
    """Return what crosses a link that breaks after ``fraction`` of each message."""
    lengths: Ints = np.floor(frames.lengths * fraction).astype(np.int64)
    return frames.truncate(np.where(fraction < 1, lengths, frames.lengths))
