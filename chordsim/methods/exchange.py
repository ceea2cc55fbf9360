"""What passes between the round loop and a method's halves: legs, batches of phones, and what a turn gives back.

Nothing here knows a method; `chordsim.methods.contract` says who takes these and who makes them.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from chordsim.arrays import Bools, Codes, Columns, Floats, Ints
from chordsim.ragged import Ragged

if TYPE_CHECKING:
    from chordsim.config.model import ProtocolConfig
    from chordsim.data.history import Spans

Direction = Literal["up", "down"]
Kind = Literal["profile", "prescription", "candidates", "update", "report", "asks", "rows"]
#: Which budget limited what was prescribed, by code; the ledger's `binding`.
BINDINGS = ("none", "memory", "latency", "bits")
#: A refusal is the code of the budget that it would break, or this one for a payload that makes no sense.
INVALID = 4


@dataclass(frozen=True)
class Leg:
    """One message of a method's exchange: a direction and a kind, which names its ledger column."""

    direction: Direction
    kind: Kind


UP_PROFILE = Leg("up", "profile")
UP_UPDATE = Leg("up", "update")
UP_REPORT = Leg("up", "report")
DOWN_PRESCRIPTION = Leg("down", "prescription")
DOWN_CANDIDATES = Leg("down", "candidates")
#: What a phone that keeps few item rows asks for, and gets: legs of the protocol, before those of a method.
UP_ASKS = Leg("up", "asks")
DOWN_ROWS = Leg("down", "rows")
#: Label of a bootstrap part that no phone is charged: the whole item table, of which phones ask for rows. Workers own it.
ITEM_TABLE = "items"


@dataclass(frozen=True)
class Blob:
    """A content-addressed part of the bootstrap: what a device owns before its first round."""

    label: str
    data: bytes


def blob_digest(data: bytes) -> str:
    """Return the SHA-256 of a blob in hexadecimal: the name by which nodes know it."""
    return hashlib.sha256(data).hexdigest()


@dataclass(frozen=True)
class Budgets:
    """What a phone grants the app, per device, shape [D] each.

    Attributes:
        memory_bytes: Peak memory for the app's model.
        latency_s: On-device seconds per request.
        bits: Cap on stored bits per weight, averaged over weights.
        macs_per_s: Speed of the phone, which turns operations into seconds.
    """

    memory_bytes: Ints
    latency_s: Floats
    bits: Floats
    macs_per_s: Floats


@dataclass(frozen=True)
class Batch:
    """Who takes part: one padded chunk of devices, shape [D] each.

    Attributes:
        device_ids: Ids, ascending; padding repeats the last one.
        active: False for padding and for devices that are out of this round. Their rows are computed and
            thrown away, so that every product has the same shape.
        round: The round, from 1.
        budgets: What each phone grants, where that is known: on the cloud None, since a phone tells its budgets in its profile.
        user_ids: Whose account each phone is, as the cloud's logs name users; told where a method learns from updates, None elsewhere.
        listed: What the protocol lists for each user, best first, [D, N], 0 pads; told where `MethodSpec.reads_lists`, None elsewhere.
    """

    device_ids: Ints
    active: Bools
    round: int
    budgets: Budgets | None = None
    user_ids: Ints | None = field(default=None, kw_only=True)
    listed: Ints | None = field(default=None, kw_only=True)

    def __len__(self) -> int:
        return self.device_ids.size


@dataclass(frozen=True)
class PhoneBatch(Batch):
    """Who takes part, as their device half meets them: a phone knows what it grants.

    Attributes:
        budgets: What each phone grants.
        listed: What the cloud lists for its user, where the protocol ranks candidates, [D, N], 0 pads; None where it does not.
    """

    # A field of its own, so that it has no default: the class attribute would pass the one of `Batch` on.
    budgets: Budgets = field()
    listed: Ints | None = None


#: Marks a field of `Cost` of which the most of several turns counts, and not their sum,
_MOST = {"most": True}
#: one that is spent before the first request, and not again by who shows what it held,
_BEFORE = {"before": True}
#: and one that the ledger has no column for, since it says seconds instead.
_TIMED = {"timed": True}


@dataclass(frozen=True)
class Cost:
    """What the phone spent in one turn, per device, shape [D], int64. These fields are named here and nowhere else.

    Attributes:
        macs: Multiply-accumulates of one request.
        train_macs: Of the training on the phone before it.
        bitops: Those of a request, times the bits of weight and activation.
        adapt_macs: Multiply-accumulates of reading the user and of making the model; in the ledger as seconds.
        peak_memory_bytes: Memory at its peak.
        model_bytes: What is stored.
    """

    macs: Ints
    train_macs: Ints = field(metadata=_BEFORE)
    bitops: Ints
    adapt_macs: Ints = field(metadata=_BEFORE | _TIMED)
    peak_memory_bytes: Ints = field(metadata=_MOST)
    model_bytes: Ints = field(metadata=_MOST)

    @classmethod
    def zero(cls, rows: int) -> Cost:
        """Return a cost of nothing for ``rows`` devices."""
        return cls(*(np.zeros(rows, np.int64) for _ in COST))


#: Names of what a phone spends.
COST = tuple(f.name for f in fields(Cost))
#: Of these the most of several turns counts; the others add up.
PEAKS = tuple(f.name for f in fields(Cost) if f.metadata.get("most"))
#: Of these the ledger has a column of the same name.
RECORDED = tuple(f.name for f in fields(Cost) if not f.metadata.get("timed"))
#: Of these a phone spends again that shows what it held: one request's operations, and the memory that it takes.
SPENT = tuple(f.name for f in fields(Cost) if not f.metadata.get("before"))


class Scorer(Protocol):
    """Scores that are made when they are asked for: a phone that keeps few item rows ranks a list, not the catalogue."""

    def of(self, items: Ints) -> npt.NDArray[np.float32]:
        """Return the scores of item ids [D, n], float32 [D, n]; 0 pads."""
        ...


@runtime_checkable
class Ranker(Scorer, Protocol):
    """Scores of all items that are ranked as they come, so that no table of phones by items is made."""

    def ranks(self, targets: Ints, seen: Spans, protocol: ProtocolConfig) -> tuple[Floats, Bools]:
        """Return the rank of each target among all items [D], and whether all scores of a phone are numbers."""
        ...

    def all(self) -> npt.NDArray[np.float32]:
        """Return the scores of all items, float32 [D, n_items + 1]; column 0 is padding."""
        ...


@dataclass(frozen=True)
class Turn:
    """What a device half gives back for one leg.

    Attributes:
        state: Columns to keep, committed when the round closes; may be empty.
        outbox: One payload per device for an up leg, empty rows otherwise. A report leg's payload is
            written by the simulator, never by a method.
        refusal: Code into `BINDINGS` per device, 0 where the phone does not refuse, `INVALID` where what it
            received makes no sense, shape [D], uint8.
        scores: Scores of all items, float32 [D, n_items + 1], column 0 is padding; or a `Ranker`, which makes them, or a `Scorer`
            of those that a list holds; None if not ranked here.
        ranking: Or an ordered list of item ids [D, n], 0 pads at the end, of places in the cloud's list, from 1, where the spec ranks
            ``candidates``; None if not ranked here.
        bits: Stored bits per weight, shape [D]; NaN where no model ran.
        cost: What it took.
    """

    outbox: Ragged
    refusal: Codes
    cost: Cost
    bits: Floats
    scores: npt.NDArray[np.float32] | Scorer | None = None
    ranking: Ints | None = None
    state: Columns = field(default_factory=dict)

    def scored(self) -> npt.NDArray[np.float32] | None:
        """Return the scores of all items as a table, [D, n_items + 1], made now if they were not; None if there are none."""
        return self.scores.all() if isinstance(self.scores, Ranker) else self.scores  # type: ignore[return-value]


@dataclass(frozen=True)
class CloudTurn:
    """What a cloud half gives back for one down leg: payloads, operations and refusals, shape [D] each.

    Attributes:
        outbox: One payload per device; empty where the cloud refuses.
        macs: Multiply-accumulates spent on the cloud for each device.
        refusal: Code into `BINDINGS`, 0 where it does not refuse.
        binding: Code into `BINDINGS`: which budget limited what it prescribes.
    """

    outbox: Ragged
    macs: Ints
    refusal: Codes
    binding: Codes
