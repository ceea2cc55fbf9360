"""A line that loses, doubles and reorders answers, and on which some phones lie."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from typing import Any

from flwr.app import Error, Message

from benchmarks.faults.disk import Process
from benchmarks.faults.kinds import LINE
from benchmarks.faults.plan import Fault
from chordsim.engine.cell import CellCall, CellReply
from chordsim.engine.records import ACTION, call_from_record, reply_from_record, reply_to_record
from chordsim.ragged import Ragged


class FaultyGrid:
    """A Flower grid between the server and a real one."""

    def __init__(self, inner: Any, process: Process, fault: Fault | None, liars: int) -> None:
        self._inner, self._process, self._fault, self._liars, self._exchanges = inner, process, fault, liars, 0

    def get_node_ids(self) -> list[int]:
        """Return all nodes."""
        return list(self._inner.get_node_ids())

    def send_and_receive(self, messages: Iterable[Message], *, timeout: float | None = None) -> Iterator[Message]:
        """Carry messages, and meet the fault if this is its exchange."""
        sent = list(messages)
        if not sent or sent[0].metadata.message_type != ACTION:
            yield from self._inner.send_and_receive(sent, timeout=timeout)
            return
        self._process.alive()
        fault, due = self._fault, ""
        if fault is not None and fault.kind in LINE and self._exchanges == fault.at:
            due = fault.kind
        self._exchanges += 1
        if due == "killed at an exchange":
            self._process.kill(due)
        calls = {message.metadata.group_id: call_from_record(message.content) for message in sent}
        answers = [self._with_lies(calls, answer) for answer in self._inner.send_and_receive(sent, timeout=timeout)]
        if due and fault is not None:
            self._process.met[due] += 1
            place = int(fault.part * len(answers))
            if due == "lost cell":
                lost = next(m for m in sent if m.metadata.group_id == answers[place].metadata.group_id)
                answers[place] = Message(Error(5, "lost on purpose"), reply_to=lost)
            elif due == "doubled cell":
                answers.insert(place, answers[place])
            else:
                random.Random(fault.part).shuffle(answers)
        yield from answers

    def _with_lies(self, calls: dict[str, CellCall], answer: Message) -> Message:
        if not self._liars or answer.has_error():
            return answer
        call, found = calls[answer.metadata.group_id], reply_from_record(answer.content)
        if not found.missing:
            answer.content = reply_to_record(lied(call, found, self._liars))
        return answer


def lied(call: CellCall, reply: CellReply, liars: int) -> CellReply:
    """Return an answer in which one phone in so many sent garbage: a function of phone, method and round alone."""
    ids, wire = call.columns["device_id"], {}
    for kind, rows in reply.wire.items():
        frames = [rows[row] for row in range(len(rows))]
        for row, device in enumerate(ids.tolist()):
            if device % liars == 1 and frames[row]:
                draw = random.Random(f"{device} {call.header['method']} {call.header['round']} {kind}")
                frames[row] = bytes(byte ^ draw.getrandbits(8) for byte in frames[row])
        wire[kind] = Ragged.of_rows(frames)
    return CellReply(reply.cell, reply.columns, wire, reply.missing, reply.error, peak_rss_bytes=reply.peak_rss_bytes)
