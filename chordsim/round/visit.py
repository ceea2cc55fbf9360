"""One visit to the phones: calls out to cells, replies back into the book."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from chordsim.engine.cell import Carrier, CellCall, CellReply
from chordsim.methods import COST, PEAKS, Leg
from chordsim.ragged import Ragged
from chordsim.round.book import CARRIED, STATE, Book, column_like
from chordsim.round.enrolled import Hosted
from chordsim.round.quarantine import Asked, inspected
from chordsim.wire.errors import Absent
from chordsim.wire.frame import OVERHEAD_BYTES, decode_rows
from chordsim.wire.reports import REPORT_BYTES


def visits(exchange: tuple[Leg, ...]) -> list[list[Leg]]:
    """Cut an exchange into visits to the phone: down legs, then up legs."""
    out: list[list[Leg]] = [[]]
    for leg in exchange:
        if leg.direction == "down" and out[-1] and out[-1][-1].direction == "up":
            out.append([])
        out[-1].append(leg)
    return [legs for legs in out if legs]


class Visit:
    """One visit to the phones: calls out to cells, replies back."""

    def __init__(self, method: Hosted, book: Book, legs: list[Leg], transfer: int, cells: int, header: Mapping[str, Any]) -> None:
        self._method, self._book, self._legs, self._header = method, book, legs, header
        self._cells = book.scene.cells(cells)
        ups = sum(leg.direction == "up" for leg in legs)
        self._fraction = book.fraction[:, transfer : transfer + ups]
        self._replies: dict[int, CellReply] = {}

    def calls(self, wire: dict[str, Ragged]) -> list[CellCall]:
        """Return one call per cell."""
        header = {**self._header, "round": self._book.scene.round, "legs": [[leg.direction, leg.kind] for leg in self._legs]}
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
            legs = ", ".join(f"{leg.direction} {leg.kind}" for leg in self._legs)
            # A half that raised has told its side and leg; a worker that died has not.
            where = "" if "device half" in reply.error else f"device half, legs {legs}: "
            return [f"{self._method.spec.name}, round {book.scene.round}, cell {reply.cell}: {where}{reply.error}"]
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
        # Of a report that the link cut, the simulator has what it said; one that could not have been whole is not excused.
        book.unreported &= whole == REPORT_BYTES + OVERHEAD_BYTES
        bad = np.where(book.unreported, 0, bad)
        # Nothing at all is a lost cell or an empty row of a phone that was set aside, counted there.
        book.quarantine(book.active & (bad > Absent.code), f"unreadable {leg.kind} messages")
        book.end(book.active & (bad != 0), "failed")
        return payloads


def carried(calls: list[CellCall], carrier: Carrier, blobs: dict[str, bytes], seen: Counter[str]) -> Iterator[CellReply]:
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
                yield inspected(reply, Asked.of(call), seen)
        if not waiting:
            return
    for cell in waiting:
        yield CellReply(cell, error="bootstrap parts arrived damaged again and again")
