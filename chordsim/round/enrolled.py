"""Methods that are ready to play: what their phones hold of the bootstrap, and what the simulator remembers of each phone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from chordsim.arrays import Bools, Columns, Ints, State
from chordsim.ledger.columns import OUTCOMES
from chordsim.methods import ITEM_TABLE, CloudHalf, MethodSpec
from chordsim.methods.exchange import blob_digest
from chordsim.round.book import STATE, Book, column_like
from chordsim.round.under_way import UnderWay

_BROKEN = [OUTCOMES.index(name) for name in ("refused", "failed")]
#: Device state is columnar; pages that no device touches take no memory.
_HELD_DTYPE = np.int32
_REPLAYED = {"profile", "prescription", "report"}


def can_replay(spec: MethodSpec) -> bool:
    """Return whether a method's old prescription can be made again: its exchange holds nothing but profile and prescription."""
    return not spec.learns and not spec.needs_autograd and {leg.kind for leg in spec.exchange} <= _REPLAYED


def charged_bytes(label: str, data: bytes) -> int:
    """Return what a phone pays for a part of the bootstrap: of the whole item table it asks for rows."""
    return 0 if label == ITEM_TABLE else len(data)


def nothing_held(devices: int) -> Ints:
    """Return the column of bootstrap versions at the start, [devices]: nobody holds one."""
    return np.zeros(devices, _HELD_DTYPE)


@dataclass
class Enrolled:
    """A method that plays, whoever tells the round.

    Attributes:
        spec: The method.
        parts: Bytes of each part of the bootstrap, by label.
        held: Version of the bootstrap that each device owns, 0 for none, [devices].
        remembered: What the simulator remembers of each device, see `chordsim.round.held`.
        version: Version of the bootstrap in force.
        introduced: Version in which each part last changed, by label; a phone lacks the parts that are newer than what it holds.
    """

    spec: MethodSpec
    parts: dict[str, int]
    held: Ints
    remembered: Columns = field(default_factory=dict)
    version: int = 1
    introduced: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.introduced = self.introduced or dict.fromkeys(self.parts, self.version)

    @property
    def bootstrap_bytes(self) -> int:
        """Bytes that a phone downloads before its first round."""
        return sum(self.parts.values())

    @property
    def prescribes(self) -> bool:
        """Whether phones get a prescription."""
        return any(leg.kind == "prescription" for leg in self.spec.exchange)

    @property
    def replays(self) -> bool:
        """Whether a phone that is not served can show what it held: a function of user, round and budgets alone."""
        return can_replay(self.spec)

    def outdated(self, ids: Ints) -> Bools:
        """Return which devices lack the bootstrap in force, shape of ``ids``."""
        return np.asarray((self.held[ids] != self.version) & (self.bootstrap_bytes > 0))

    def missing_bytes(self, ids: Ints) -> Ints:
        """Return the bytes of the parts that each device lacks, shape of ``ids``."""
        held = self.held[ids]
        sizes = (np.where(held < self.introduced[label], size, 0) for label, size in self.parts.items())
        return np.asarray(sum(sizes, np.zeros(ids.size, np.int64)), np.int64)

    def new_model(self, round: int, every: int) -> None:
        """Put a new cloud model into force after every so many rounds; a method that learns brings its own versions."""
        if every and not self.spec.learns:
            version = 1 + (round - 1) // every
            if version != self.version:
                self.renew(self.parts, version)

    def renew(self, labels: Iterable[str], version: int) -> None:
        """Put a version into force in which these parts are new."""
        self.version = version
        self.introduced |= dict.fromkeys(labels, version)

    def remember(self, book: Book) -> None:
        """Keep what phones hold from now on: the bootstrap that came whole, and in which round what they show was made."""
        ids, scene = book.scene.ids, book.scene
        self.held[ids[book.needs & (book.bootstrap_cut == 0)]] = self.version
        if not self.replays:
            return
        # A prescription that arrived whole is held from the next round on, whatever became of the report.
        has = book.bytes["prescription"] > 0 if self.prescribes else (self.held[ids] == self.version) & ~scene.away
        got = scene.real & has & ~np.isin(book.outcome, _BROKEN) & (book.bytes["cut_down"] == 0)
        self.remembered["plan_round"][ids[got]] = scene.round


@dataclass
class Hosted(Enrolled):
    """A method whose cloud half the server hosts, trained.

    Attributes:
        half: Its cloud half.
        state: Its trained state.
        kept: Device state by name, as the method's device half last gave it back, [devices, ...]; zeros before.
        under_way: Who is at work between rounds, in buffered mode; None before the first, and in synchronous rounds.
        blobs: Bootstrap parts by digest.
        labels: Digest of each part by label.
    """

    parts: dict[str, int] = field(default_factory=dict)
    held: Ints = field(default_factory=lambda: nothing_held(0))
    half: CloudHalf = field(kw_only=True)
    state: State = field(kw_only=True)
    kept: Columns = field(default_factory=dict)
    under_way: UnderWay | None = None
    blobs: dict[str, bytes] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.update(self.state, self.version)

    @property
    def replays(self) -> bool:
        """Also, a method that keeps state of its own on the phone cannot be put back by its prescription alone."""
        return super().replays and not self.kept

    def update(self, state: State, version: int, introduced: Mapping[str, int] | None = None) -> None:
        """Take a new state into force, with the bootstrap that it gives; a part that is the same is no news.

        Args:
            state: The new state.
            version: Its version.
            introduced: When each part last changed, where that is known from a checkpoint.
        """
        self.state, self.version, before = state, version, self.labels
        made = [(blob.label, blob_digest(blob.data), blob.data) for blob in self.half.bootstrap(state)]
        self.blobs = {digest: data for _, digest, data in made}
        self.labels = {label: digest for label, digest, _ in made}
        self.parts = {label: charged_bytes(label, data) for label, _, data in made}
        same = {label: self.introduced[label] for label, digest in self.labels.items() if before.get(label) == digest}
        self.introduced = dict(introduced) if introduced else {label: same.get(label, version) for label in self.labels}

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
