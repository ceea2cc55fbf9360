"""A fleet in which some phones lie: the client app of a test, wrapped around the real one."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from flwr.app import Message

from chordsim.api import RunResult
from chordsim.engine.cell import CellCall, CellReply
from chordsim.engine.grid import GridCarrier
from chordsim.engine.inprocess import InProcessGrid
from chordsim.engine.records import call_from_record, call_to_record, reply_from_record, reply_to_record
from chordsim.progress import Silent
from chordsim.scenario.load import load
from clients.app import app
from clients.cohort import Node
from server import rounds

#: Tampers with one call on its way to a node, or with one reply on its way back.
TamperCall = Callable[[CellCall], CellCall]
TamperReply = Callable[[CellCall, CellReply], CellReply]


class Wrapped:
    """The client app with somebody on the line."""

    def __init__(self, call: TamperCall | None, reply: TamperReply | None) -> None:
        self._call, self._reply, self._lock = call, reply, threading.Lock()

    def __call__(self, message: Message, context: object) -> Message:
        if message.metadata.message_type != "query.cell":
            return app(message, context)
        if self._call:
            message.content = call_to_record(self._call(call_from_record(message.content)))
        answer = app(message, context)
        found = reply_from_record(answer.content)
        if self._reply and not found.missing:
            with self._lock:
                answer.content = reply_to_record(self._reply(call_from_record(message.content), found))
        return answer


@pytest.fixture
def play(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., RunResult]:
    """Return a runner of scenarios whose client app is wrapped."""
    count = iter(range(1000))

    def run(overrides: list[str], call: TamperCall | None = None, reply: TamperReply | None = None) -> RunResult:
        monkeypatch.setattr("clients.app._NODE", Node())  # one that owns no bootstrap yet
        scenario = load("offline", [*overrides, "engine.workers=1"])
        carrier = GridCarrier(InProcessGrid(Wrapped(call, reply), 1), cells_per_node=1, timeout_s=60.0)
        return RunResult(rounds.run(scenario, tmp_path / f"run-{next(count)}", carrier, Silent()))

    return run
