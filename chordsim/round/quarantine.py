"""What the cloud takes in from nodes that may lie: answers that do not fit are set aside, one row spoils no other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from chordsim.arrays import Bools, Columns, Floats, Ints
from chordsim.engine.cell import CellCall, CellReply
from chordsim.ledger.columns import LIST
from chordsim.methods import COST
from chordsim.ragged import Ragged
from chordsim.round.book import STATE
from chordsim.wire.frame import OVERHEAD_BYTES
from chordsim.wire.limits import MAX_PAYLOAD_BYTES

#: Bytes of method state that one phone may hand back, and names that a method may use for it.
MAX_STATE_BYTES, MAX_STATE_NAMES = 64 * 1024, 64
#: No phone spends more operations or bytes than this in a visit; sums over a fleet stay far from overflow.
MAX_COST = 2**50
MAX_BITS = 64.0


@dataclass(frozen=True)
class Asked:
    """What was asked of one cell.

    Attributes:
        asked: Phones that take part, [M].
        kinds: Kinds of message that they were asked for, in order.
        fraction: Share of each message that crosses the link, [M, kinds].
        lists: Items that each phone lists where the ledger keeps lists, and size of the catalogue; (0, 0) where it keeps none.
    """

    asked: Bools
    kinds: Sequence[str]
    fraction: Floats
    lists: tuple[int, int] = (0, 0)

    @classmethod
    def of(cls, call: CellCall) -> Asked:
        """Return what a call asks for."""
        kinds = [kind for direction, kind in call.header["legs"] if direction == "up"]
        kept, n_items = call.header.get("lists", (0, 0))
        return cls(call.columns["active"], kinds, call.columns["up_fraction"], (int(kept), int(n_items)))


def inspected(reply: CellReply, asked_of: Asked, seen: Counter[str]) -> CellReply:
    """Return what of a cell's answer may be used; count the rest in ``seen``.

    An answer without the right columns and rows becomes a lost cell. Messages of phones that were not asked are
    dropped (``strays``). A phone whose simulator columns make no sense loses its messages, so it fails
    (``implausible``), and its columns are put to rest.
    """
    if reply.error or reply.missing:
        return reply
    why = _misshapen(reply, asked_of)
    if why:
        seen["misshapen cells"] += 1
        return CellReply(reply.cell, error=why, moved_down_bytes=reply.moved_down_bytes)
    columns = dict(reply.columns)
    mad = _implausible(columns, reply.wire, asked_of)
    wire, lost = {}, 0
    for kind in asked_of.kinds:
        rows = reply.wire[kind]
        kept = rows.keep(asked_of.asked & ~mad)
        lost += rows.data.size - kept.data.size
        wire[kind] = kept
        columns[f"whole.{kind}"] = np.where(asked_of.asked & ~mad, columns[f"whole.{kind}"], 0)
        seen["strays"] += int(np.count_nonzero(~asked_of.asked & (rows.lengths > 0)))
    # What a kind that was not asked for moved is nobody's in the ledger either.
    lost += sum(rows.data.size for kind, rows in reply.wire.items() if kind not in asked_of.kinds)
    seen["implausible"] += int(np.count_nonzero(mad))
    if mad.any():
        columns = {name: _at_rest(name, column, mad) for name, column in columns.items()}
    return replace(reply, columns=columns, wire=wire, moved_up_bytes=reply.moved_up_bytes - lost)


def _misshapen(reply: CellReply, asked_of: Asked) -> str:
    """Return why an answer as a whole cannot be read, or nothing."""
    rows = asked_of.asked.size
    wanted = {**dict.fromkeys(COST, "i"), "rank": "f", "bits": "f", "refusal": "u", **{f"whole.{kind}": "i" for kind in asked_of.kinds}}
    for name, kind in wanted.items():
        column = reply.columns.get(name)
        if column is None or column.shape != (rows,) or column.dtype.kind != kind:
            return f"its answer has no column {name} of {rows} numbers"
    lists, kept = reply.columns.get(LIST), asked_of.lists[0]
    if kept and (lists is None or lists.shape != (rows, kept) or lists.dtype != np.int32):
        return f"its answer has no column {LIST} of {rows} by {kept} items"
    if lists is not None and not kept:
        return f"its answer has a column {LIST} that nobody asked for"
    state = [name for name in reply.columns if name.startswith(STATE)]
    if len(state) > MAX_STATE_NAMES:
        return f"its answer has {len(state)} columns of state: at most {MAX_STATE_NAMES}"
    for name in state:
        column = reply.columns[name]
        if column.ndim == 0 or column.shape[0] != rows or column.nbytes > MAX_STATE_BYTES * rows:
            return f"its answer has a column {name} that is not one row for each of {rows} phones"
    for kind in asked_of.kinds:
        if kind not in reply.wire or len(reply.wire[kind]) != rows:
            return f"its answer has no {kind} messages of {rows} phones"
    return ""


def _implausible(columns: Columns, wire: Any, asked_of: Asked) -> Bools:
    """Return which phones' columns cannot be, [M]."""
    mad = np.zeros(asked_of.asked.size, np.bool_)
    for name in COST:
        mad |= (columns[name] < 0) | (columns[name] > MAX_COST)
    bits = columns["bits"]
    mad |= ~np.isnan(bits) & ~((bits >= 0) & (bits <= MAX_BITS))
    rank = columns["rank"]
    mad |= ~np.isnan(rank) & ~((rank >= 1) & (rank < MAX_COST))
    if LIST in columns:
        lists = columns[LIST]
        mad |= ((lists < 0) | (lists > asked_of.lists[1])).any(1) | ((lists[:, :-1] == 0) & (lists[:, 1:] != 0)).any(1)
    for name, column in columns.items():
        if name.startswith(STATE) and column.dtype.kind == "f":
            mad |= ~np.isfinite(column.reshape(mad.size, -1)).all(1)
    for number, kind in enumerate(asked_of.kinds):
        mad |= asked_of.asked & _wrong_length(columns[f"whole.{kind}"], wire[kind], kind, asked_of.fraction[:, number])
    return mad


def _wrong_length(whole: Ints, frames: Ragged, kind: str, fraction: Floats) -> Bools:
    """Return whose message is not as long as the link let through, [M]."""
    limit = MAX_PAYLOAD_BYTES[kind] + OVERHEAD_BYTES  # type: ignore[index]
    fair = (whole >= 0) & (whole <= limit)
    crossed = np.where(fraction < 1, np.floor(np.where(fair, whole, 0) * fraction).astype(np.int64), whole)
    return np.asarray(~fair | (crossed != frames.lengths))


def _at_rest(name: str, column: npt.NDArray[Any], who: Bools) -> npt.NDArray[Any]:
    out = column.copy()
    out[who] = np.nan if name in ("rank", "bits") else 0
    return out
